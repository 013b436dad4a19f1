"""config/import_harness.py on made-up tasks, without lm_eval: what maps to what, what is refused, and who gets into which split."""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "config/import_harness.py"
sys.path.insert(0, str(ROOT / "config"))
import harness_mapping  # noqa: E402
import import_harness  # noqa: E402

CONFIG = dict(task="made_up", doc_to_image=None, doc_to_audio=None, process_results=None, repeats=1, metric_list=None, filter_list=None,
              doc_to_choice=None, num_fewshot=0, training_split=None, validation_split=None, test_split="test",
              fewshot_config=SimpleNamespace(split=None, samples=None))
REGEX = {"function": "regex", "regex_pattern": "#### (-?[0-9.,]+)"}
FIRST = {"function": "take_first"}
AGGREGATION = {"perplexity": "perplexity", "word_perplexity": "weighted_perplexity", "byte_perplexity": "weighted_perplexity",
               "bits_per_byte": "bits_per_byte"}


class ConfigurableTask:
    """What the tool asks of lm_eval's class of this name. Documents are dictionaries with the requests' parts."""

    def __init__(self, kind, documents, metrics=("acc",), **config):
        self.OUTPUT_TYPE = kind
        self.documents = documents
        self.metrics = metrics
        self.config = SimpleNamespace(**(CONFIG | config))
        self.multiple_input = 0
        self.multiple_target = len(documents[0]["target"]) if isinstance(documents[0]["target"], list) else 0

    def aggregation(self):
        return {name: SimpleNamespace(__name__=AGGREGATION.get(name, "mean")) for name in self.metrics}

    def set_config(self, key, value):
        setattr(self.config, key, value)

    def set_fewshot_seed(self, seed):
        self.seed = seed

    def doc_to_text(self, document):
        return document["text"]

    def doc_to_target(self, document):
        return document["target"]

    def doc_to_choice(self, document):
        return document["choices"]

    def requests_of(self, number, document, chat_template):
        context = chat_template([{"role": "user", "content": document["text"]}]) if chat_template else document["text"]
        parts = {"multiple_choice": [(context, " " + choice) for choice in document.get("choices", [])],
                 "generate_until": [(context, document.get("generation", {"until": ["\n"]}))],
                 "loglikelihood": [(context, document["target"])], "loglikelihood_rolling": [(document["target"],)]}
        return [SimpleNamespace(doc_id=number, doc=document, args=args) for args in parts[self.OUTPUT_TYPE]]

    def build_all_requests(self, limit, chat_template, **_):
        self.instances = [request for number, document in enumerate(self.documents[:limit])
                          for request in self.requests_of(number, document, chat_template)]


def ask(**changes):
    return argparse.Namespace(**dict(num_fewshot=None, seed=1, limit=None, shares=[60, 20, 20], metric=None, filter=None,
                                     system_instruction=None, messages=False, multiturn=False) | changes)


def imported(task, **changes):
    return import_harness.import_task("made-up", task, ask(**changes))


def choices(target, **document):
    return {"text": "Which?", "choices": ["one", "two"], "target": target, **document}


def generation(target=3, **document):
    return {"text": "2 + 1 =", "target": target, **document}


@pytest.mark.parametrize("target, gold", [(1, 1), ("two", 1), (True, 1), ([0, 1], [0, 1]), ([1, 7], [1])])
def test_right_choices(target, gold):
    file, items, _ = imported(ConfigurableTask("multiple_choice", [choices(target)], ("acc", "acc_norm")))
    assert items[0]["gold"] == gold and items[0]["choices"] == ["one", "two"] and items[0]["prompt"] == "Which?"
    assert file["multiple_choice"] == {"choices": "choices", "gold": "gold", "delimiter": " ", "metric": "acc_norm"}


def test_metrics():
    task = ConfigurableTask("multiple_choice", [choices(0)], ("acc_mutual_info", "acc", "acc_norm"))
    assert imported(task, metric="acc")[0]["multiple_choice"]["metric"] == "acc"
    assert imported(ConfigurableTask("multiple_choice", [choices(0)]))[0]["multiple_choice"]["metric"] == "acc"
    words = ConfigurableTask("loglikelihood", [{"text": "a", "target": " b"}], ("perplexity", "acc"))
    assert imported(words)[0]["loglikelihood"]["metric"] == "greedy"
    assert imported(words, metric="perplexity")[0]["loglikelihood"]["metric"] == "sum"
    words.aggregation = lambda: {"acc": max}
    with pytest.raises(harness_mapping.Refusal, match="aggregated by max"):
        imported(words)


def test_perplexity():
    task = ConfigurableTask("loglikelihood_rolling", [{"text": "", "target": "a b"}],
                            ("word_perplexity", "byte_perplexity", "bits_per_byte"))
    file, items, _ = imported(task)
    assert file["perplexity"] == {"text": "{text}", "unit": "byte"} and file["add_special_tokens"] and items[0]["text"] == "a b"
    assert imported(task, metric="word_perplexity")[0]["perplexity"]["unit"] == "word"
    task.documents[0]["target"] = "\na b"
    with pytest.raises(harness_mapping.Refusal, match="word more"):
        imported(task, metric="word_perplexity")


def written(document=None, options=None, filters=None, **changes):
    task = ConfigurableTask("generate_until", [document or generation()], ("exact_match",), filter_list=filters,
                            metric_list=[{"metric": "exact_match", "aggregation": "mean", **(options or {})}])
    return imported(task, **changes)


def test_generation():
    file, items, _ = written(generation(True, generation={"until": "\n", "max_new_tokens": 7, "temperature": 0.0, "top_p": 1}))
    assert file["generate"] == {"max_new_tokens": 7, "stop": ["\n"]}
    assert file["answer"] == {"trim": "none"} and items[0]["answer"] == "True"
    assert written()[0]["generate"]["max_new_tokens"] == 256
    assert written(generation(["3", "three"]))[1][0]["answer"] == ["3", "three"]


def test_answers():
    strict = {"name": "strict", "filter": [REGEX, FIRST]}
    loose = {"name": "loose", "filter": [REGEX | {"regex_pattern": "(a)|(b)", "group_select": -1}, FIRST]}
    options = {"regexes_to_ignore": [",", r"\$"], "ignore_case": True, "ignore_numbers": False}
    assert written(options=options, filters=[strict, loose])[0]["answer"] == {
        "pattern": "#### (-?[0-9.,]+)", "match": "first", "trim": "answer", "ignore_case": True, "remove": [",", r"\$"]}
    assert written(filters=[strict, loose], filter="loose")[0]["answer"] == {
        "pattern": "(a)|(b)", "match": "last", "trim": "answer", "group": "any"}
    assert written(filters=[{"name": "s", "filter": [{"function": "remove_whitespace"}, FIRST]}])[0]["answer"] == {"trim": "answer"}
    removed = written(generation("a"), options={"ignore_punctuation": True, "ignore_numbers": True})[0]["answer"]["remove"]
    assert harness_mapping.compared(r"""a!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~b7é""", {"remove": removed}) == "abé"


REFUSED_ANSWERS = {
    "no list of right answers": dict(document=generation([3])),
    "is empty": dict(document=generation("1,"), options={"regexes_to_ignore": ["[1,]"]}),
    "finding nothing is right": dict(document=generation("[invalid]"), filters=[{"name": "s", "filter": [REGEX, FIRST]}]),
    "knows A to Z": dict(document=generation("Ä"), options={"ignore_case": True}),
    "are sampled": dict(document=generation(generation={"until": [], "do_sample": True})),
    "answers are sampled": dict(document=generation(generation={"until": [], "temperature": 0.5})),
    "has num_beams": dict(document=generation(generation={"until": [], "num_beams": 4})),
    "stop string is empty": dict(document=generation(generation={"until": ["\n", ""]})),
    "it has odd_key": dict(options={"odd_key": 1}),
    "code of its own": dict(options={"hf_evaluate": True}),
    "takes match 1": dict(filters=[{"name": "s", "filter": [REGEX | {"group_select": 1}, FIRST]}]),
    "may be empty": dict(filters=[{"name": "s", "filter": [REGEX | {"regex_pattern": "x*", "group_select": -1}, FIRST]}]),
    "regex | map | take_first": dict(filters=[{"name": "s", "filter": [REGEX, {"function": "map"}, FIRST]}]),
    "it is regex)": dict(filters=[{"name": "s", "filter": [REGEX]}]),
    "the task has s": dict(filters=[{"name": "s", "filter": [FIRST]}], filter="t"),
    "in PCRE2 than in Python": dict(filters=[{"name": "s", "filter": [REGEX | {"regex_pattern": r"\\\Z"}, FIRST]}]),
    "[:alpha:] means": dict(options={"regexes_to_ignore": ["[[:alpha:]]"]}),
}


@pytest.mark.parametrize("reason", REFUSED_ANSWERS)
def test_refused_answers(reason):
    with pytest.raises(harness_mapping.Refusal) as refusal:
        written(**REFUSED_ANSWERS[reason])
    assert reason in str(refusal.value)


def test_patterns_that_both_read_alike_are_taken():
    for pattern in (r"\\Z", r"[:\s]+", r"a{2,}", r"(?i)x", r"(?P<n>\d)\b"):
        assert harness_mapping.checked_pattern(pattern) == pattern


REFUSED_TASKS = {
    "process_results is Python code": dict(process_results=len),
    "images or sounds": dict(doc_to_image="image"),
    "repeats is 8": dict(repeats=8),
    "of multiple_choice galapagos has acc_norm, acc": dict(metrics=("acc_mutual_info", "f1")),
    "no choice is right: 2": dict(documents=[choices(2)]),
    "no choice is right: 'three'": dict(documents=[choices("three")]),
    "a list of right choices, others not": dict(documents=[choices([0]), choices(1)]),
    "filter own: not expressible (it is map)": dict(filter_list=[{"name": "own", "filter": [{"function": "map"}]}]),
    "a choice is empty": dict(documents=[choices(0, choices=["", "b"])]),
}


@pytest.mark.parametrize("reason", REFUSED_TASKS)
def test_refused_tasks(reason):
    with pytest.raises(harness_mapping.Refusal) as refusal:
        imported(ConfigurableTask("multiple_choice", **(dict(documents=[choices(0)]) | REFUSED_TASKS[reason])))
    assert reason in str(refusal.value)


def test_tasks_that_are_classes_or_have_several_inputs_are_refused():
    task = ConfigurableTask("multiple_choice", [choices(0)])
    task.multiple_input = 2
    with pytest.raises(harness_mapping.Refusal, match="several inputs"):
        imported(task)
    own_class = type("Squad", (ConfigurableTask,), {})
    with pytest.raises(harness_mapping.Refusal, match="Python class Squad"):
        imported(own_class("multiple_choice", [choices(0)]))


def test_shares_follow_the_question_and_the_seed():
    documents = [choices(0, text=f"question {i}") for i in range(1000)]
    task = ConfigurableTask("multiple_choice", documents)
    split_of = {item["id"]: item["split"] for item in imported(task)[1]}
    counts = collections.Counter(split_of.values())
    assert abs(counts["train"] - 600) < 60 and abs(counts["validation"] - 200) < 50 and abs(counts["test"] - 200) < 50
    assert split_of == {item["id"]: item["split"] for item in imported(task)[1]}
    # A document stays where it is when others come or go.
    assert all(split_of[item["id"]] == item["split"] for item in imported(task, limit=100)[1])
    assert split_of != {item["id"]: item["split"] for item in imported(task, seed=2)[1]}
    assert {item["split"] for item in imported(task, shares=[0, 0, 100])[1]} == {"test"}
    assert {item["split"] for item in imported(task, shares=[100, 0, 0])[1]} == {"train"}


def test_equal_prompts_share_a_split_and_duplicates_go():
    documents = [choices(i % 2, text=f"question {i // 4}", choices=["one", f"{i % 4 // 2}"]) for i in range(400)]
    _, items, remarks = imported(ConfigurableTask("multiple_choice", documents + documents[:7]))
    assert len(items) == 400 and "7 exact duplicates left out" in remarks
    splits = collections.defaultdict(set)
    for item in items:
        splits[item["prompt"]].add(item["split"])
    assert len(splits) == 100 and all(len(names) == 1 for names in splits.values())
    assert set().union(*splits.values()) == {"train", "validation", "test"}
    # Without a prompt the choices are the question.
    pairs = [choices(0, text="", choices=[f"{i} is", f"{i} are"]) for i in range(100)]
    assert len({item["split"] for item in imported(ConfigurableTask("multiple_choice", pairs))[1]}) == 3


def test_examples_from_the_evaluated_documents_are_told():
    task = ConfigurableTask("multiple_choice", [choices(0)], num_fewshot=2)
    assert any("few-shot examples" in remark for remark in imported(task)[2])
    assert not imported(task, shares=[0, 0, 100])[2]
    task.config.fewshot_config.split = "train"
    assert not imported(task)[2]


def test_fewshot_counts_as_in_the_harness():
    task = ConfigurableTask("multiple_choice", [choices(0)], num_fewshot=None)
    imported(task)
    assert task.config.num_fewshot == 0
    assert "a task that says 0" in imported(task, num_fewshot=3)[2][0]
    assert task.config.num_fewshot == 0
    task.config.num_fewshot = 5
    assert not imported(task, num_fewshot=3, seed=8, shares=[0, 0, 100])[2]
    assert task.config.num_fewshot == 3 and task.seed == 8


def test_messages():
    task = ConfigurableTask("multiple_choice", [choices(0)])
    file, items, remarks = imported(task, messages=True)
    assert items[0]["messages"] == [{"role": "user", "content": "Which?"}] and "prompt" not in items[0]
    assert file["prompt"] == "{prompt}" and "render_chat.py" in remarks[0]
    with pytest.raises(harness_mapping.Refusal, match="gen_prefix"):
        import_harness.capture_messages([], add_generation_prompt=False)
    text = ConfigurableTask("loglikelihood_rolling", [{"text": "", "target": "a"}], ("bits_per_byte",))
    with pytest.raises(harness_mapping.Refusal, match="has no prompts"):
        imported(text, messages=True)


def test_files(tmp_path):
    task = ConfigurableTask("generate_until", [generation("é\u2028\U0001f44d")], ("exact_match",), task="x")
    file, items, _ = imported(task)
    import_harness.write_task(tmp_path, task, file | {"answer": {"pattern": "\"\\d:#\n", "remove": ["'", "no"]}}, items)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made-up.jsonl", "made-up.yaml"]
    assert json.loads((tmp_path / "made-up.jsonl").read_text("utf-8")) == items[0]
    read = yaml.safe_load((tmp_path / "made-up.yaml").read_text("utf-8"))
    assert read["answer"] == {"pattern": "\"\\d:#\n", "remove": ["'", "no"]} and read["name"] == "made-up"


def run_tool(*arguments):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)


def test_the_tool_says_what_is_wrong(tmp_path):
    result = run_tool("arc_easy", tmp_path / "out")
    assert result.returncode == 1 and "import_harness.py: arc_easy: lm_eval can't be imported" in result.stderr
    assert "pip install lm_eval" in result.stderr and not (tmp_path / "out").exists()
    for shares in ("60,20", "60,20,30", "120,-20,0", "a,b,c"):
        assert run_tool("arc_easy", tmp_path, f"--shares={shares}").returncode == 2
