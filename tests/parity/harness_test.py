"""Tasks of lm-evaluation-harness through lm_eval itself and, imported by config/import_harness.py, through galapagos.

The model is a random Llama that writes nothing but the letters below; right answers are made from what it writes, so that some are
met. lm_eval has an environment of its own, which borrows torch and transformers from the tests'. Data sets are files of the test's.
"""
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys

import pytest
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import peer_environments  # noqa: E402

BINARY_DIR = pathlib.Path(os.environ.get("GALAPAGOS_BINARY_DIR", ROOT / "build" / "release"))
PROGRAM = BINARY_DIR / "src" / "app" / "galapagos"
RUNNER = pathlib.Path(__file__).with_name("harness_runner.py")

pytestmark = pytest.mark.slow

LETTERS = set("0123456789#$,.: \nAQÄä答えは。")
SENTENCES = ["The answer is 12.", "#### 3,456", "答えは 78 です。", "$1,290.50\nQ: äÄ é", "Question: where? Answer: there"]
TEMPLATE = """\
{{- bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

DATA = """
dataset_path: json
dataset_kwargs: {{data_files: {{train: {dir}/train.jsonl, test: {dir}/{test}.jsonl}}}}
training_split: train
test_split: test
"""
CHOICES = DATA + """
output_type: multiple_choice
doc_to_text: "{{{{question}}}}\\nAnswer:"
doc_to_choice: options
doc_to_target: label
"""
GSM = DATA + """
fewshot_split: train
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    ignore_punctuation: false
    regexes_to_ignore: [",", "\\\\$", "(?s).*#### ", "\\\\.$"]
generation_kwargs: {{until: ["Question:", "</s>", "<|im_end|>"], do_sample: false, temperature: 0.0, max_gen_toks: 48}}
num_fewshot: 2
filter_list:
  - name: strict-match
    filter: [{{function: regex, regex_pattern: "[#$ ]+(\\\\-?[0-9][0-9\\\\.\\\\,]*)"}}, {{function: take_first}}]
  - name: flexible-extract
    filter: [{{function: regex, group_select: -1, regex_pattern: "(-?[$0-9.,]{{2,}})|(-?[0-9]+)"}}, {{function: take_first}}]
"""
WRITE = DATA + """
output_type: generate_until
doc_to_text: "{{{{question}}}} ="
generation_kwargs: {{until: ["\\n", "##"], max_gen_toks: 12}}
"""
TASKS = {
    "plain": CHOICES + "metric_list: [{{metric: acc}}]\n",
    "normed": CHOICES + "description: 'Choose well.\\n\\n'\nmetric_list: [{{metric: acc}}, {{metric: acc_norm}}]\n",
    "several": CHOICES.replace("target: label", "target: labels"),
    "by_text": CHOICES.replace("target: label", 'target: "{{{{options[label]}}}}"') + 'target_delimiter: ""\n',
    "yes_or_no": CHOICES.replace("choice: options", "choice: ['no', 'yes']").replace("target: label", "target: truth"),
    "pairs": CHOICES.replace('"{{{{question}}}}\\nAnswer:"', '""') + "metric_list: [{{metric: acc}}]\n",
    "last_word": DATA + 'output_type: loglikelihood\ndoc_to_text: "{{{{question}}}} ="\ndoc_to_target: "{{{{ending}}}}"\n'
    "metric_list: [{{metric: perplexity}}, {{metric: acc}}]\n",
    "rolling": DATA + 'output_type: loglikelihood_rolling\ndoc_to_text: ""\ndoc_to_target: "{{{{text}}}}"\n'
    "metric_list: [{{metric: word_perplexity}}, {{metric: byte_perplexity}}, {{metric: bits_per_byte}}]\n",
    "gsm": GSM,
    "as_written": WRITE + "doc_to_target: raw\n",
    "stripped": WRITE + "doc_to_target: trimmed\nmetric_list: [{{metric: exact_match, ignore_punctuation: true, ignore_case: true}}]\n"
    "filter_list: [{{name: strip, filter: [{{function: remove_whitespace}}, {{function: take_first}}]}}]\n",
    "aliases": WRITE + "doc_to_target: aliases\nmetric_list: [{{metric: exact_match, regexes_to_ignore: ['[ .]']}}]\n",
    "number": WRITE + "doc_to_target: number\nfilter_list: [{{name: digits, filter: [{{function: regex, regex_pattern: '[0-9]+'}}, "
    "{{function: take_first}}]}}]\n",
    "boolean": WRITE + "doc_to_target: truth\n",
}
GROUPS = {"family": ["plain", "as_written"], "kin": ["normed", "rolling"]}  # a group and a tag
TRIVIAL = {"last word perplexity", "gsm limit", "gsm long", "boolean"}  # scores may be 0

CODE = """
from lm_eval.api.task import ConfigurableTask

def process_results(doc, results):
    return {"acc": 1}

class Own(ConfigurableTask):
    def __init__(self, config=None):
        super().__init__(config={key: value for key, value in config.items() if key != "class"})
"""
# Tasks that are refused: the task, what the tool is told, and why.
REFUSED = {
    "inputs": (CHOICES.replace('"{{{{question}}}}\\nAnswer:"', "label").replace("target: label", "target: raw"), [], "several inputs"),
    "mutual": (CHOICES + "metric_list: [{{metric: acc_mutual_info}}]\n", [], "metric acc_mutual_info"),
    "own_code": (CHOICES + "process_results: !function utils.process_results\n", [], "process_results is Python code"),
    "own_class": (CHOICES + "class: !function utils.Own\n", [], "Python class Own"),
    "no_gold": (CHOICES.replace("target: label", "target: -1"), [], "no choice is right: -1"),
    "sampled": (WRITE.replace("{{until", "{{do_sample: true, temperature: 0.7, until") + "doc_to_target: raw\n", [], "sampled"),
    "bleu": (WRITE + "doc_to_target: raw\nmetric_list: [{{metric: bleu}}]\n", [], "metric bleu"),
    "vote": (WRITE + "doc_to_target: raw\nfilter_list: [{{name: vote, filter: [{{function: majority_vote}}, {{function: take_first}}]}}]\n",
             [], "majority_vote | take_first"),
    "stop_at_nothing": (WRITE.replace("##", "") + "doc_to_target: raw\n", [], "a stop string is empty"),
    "begun": (WRITE + 'doc_to_target: raw\ngen_prefix: "So:"\n', ["--messages"], "gen_prefix"),
    "no_data": (WRITE.replace("{dir}/{test}", "{dir}/none") + "doc_to_target: raw\n", [], "lm_eval can't make its requests (FileNotFoundError"),
    "unheard_of": (None, [], "not a registered task"),
}

# task: what lm_eval is told, what the tool is told, and the metric that both give.
CASES = {
    "plain": ("plain", {}, [], "acc"),
    "plain few-shot": ("plain", {"num_fewshot": 3}, ["--num-fewshot", "3"], "acc"),
    "normed": ("normed", {}, [], "acc_norm"),
    "normed few-shot": ("normed", {"num_fewshot": 2, "fewshot_random_seed": 5}, ["--num-fewshot", "2", "--seed", "5"], "acc_norm"),
    "normed acc": ("normed", {}, ["--metric", "acc"], "acc"),
    "several right": ("several", {}, [], "acc_norm"),
    "by text": ("by_text", {}, [], "acc_norm"),
    "yes or no": ("yes_or_no", {"num_fewshot": 1}, ["--num-fewshot", "1"], "acc_norm"),
    "pairs": ("pairs", {}, [], "acc"),
    "last word": ("last_word", {}, [], "acc"),
    "last word perplexity": ("last_word", {"num_fewshot": 1}, ["--num-fewshot", "1", "--metric", "perplexity"], "perplexity"),
    "rolling bytes": ("rolling", {}, [], "byte_perplexity"),
    "rolling bits": ("rolling", {}, ["--metric", "bits_per_byte"], "bits_per_byte"),
    "rolling words": ("rolling", {}, ["--metric", "word_perplexity"], "word_perplexity"),
    "gsm strict": ("gsm", {}, [], "exact_match,strict-match"),
    "gsm flexible": ("gsm", {}, ["--filter", "flexible-extract"], "exact_match,flexible-extract"),
    "gsm limit": ("gsm", {"limit": 7}, ["--limit", "7"], "exact_match,strict-match"),
    "gsm long": ("gsm", {"num_fewshot": 8}, ["--num-fewshot", "8"], "exact_match,strict-match"),
    "as written": ("as_written", {}, [], "exact_match,none"),
    "stripped": ("stripped", {}, [], "exact_match,strip"),
    "aliases": ("aliases", {}, [], "exact_match,none"),
    "number": ("number", {}, [], "exact_match,digits"),
    "boolean": ("boolean", {}, [], "exact_match,none"),
    "instruction": ("plain", {"system_instruction": "Be short."}, ["--system-instruction", "Be short."], "acc"),
}
CHATS = {
    "chat": ("normed", {"num_fewshot": 2, "fewshot_as_multiturn": False}, ["--num-fewshot", "2"], "acc_norm"),
    "chat turns": ("gsm", {"fewshot_as_multiturn": True}, ["--multiturn"], "exact_match,strict-match"),
    "chat instruction": ("as_written", {"fewshot_as_multiturn": False, "system_instruction": "Be short."},
                         ["--system-instruction", "Be short."], "exact_match,none"),
}


def make_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<s>", "</s>", "<|im_start|>", "<|im_end|>"])
    tokenizer.train_from_iterator(SENTENCES * 5, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)
    fast.save_pretrained(folder)
    return fast


def make_model(folder):
    tokenizer = make_tokenizer(folder)
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=6, bos_token_id=0,
        eos_token_id=1, num_key_value_heads=2, max_position_embeddings=320, tie_word_embeddings=False, initializer_range=0.15)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for token in range(len(tokenizer)):
            text = tokenizer.decode([token])
            if not (set(text) <= LETTERS or text in ("</s>", "<|im_end|>")):
                model.lm_head.weight[token] = 0
    model.save_pretrained(folder)
    return str(folder)


def write_lines(path, documents):
    path.write_text("".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents), encoding="utf-8")


def make_documents(count, seed):
    """Questions of all kinds; their answers are still the test's own."""
    draw = random.Random(seed)
    words = ["aid", "Ärger", "bö", "の問題", "12", "ziel 👍", "x+y", "naïve", "<b>", "{c}", "what is"]
    documents = []
    for i in range(count):
        options = [" ".join(draw.choices(words, k=draw.randint(1, 4))) + f" {j}" for j in range(draw.randint(2, 4))]
        text = " ".join(draw.choices(words, k=draw.choice([5, 60, 400])))
        documents.append({
            "question": f"{i} " + " ".join(draw.choices(words, k=draw.randint(1, 9))), "options": options, "text": text,
            "label": draw.randrange(len(options)), "labels": draw.sample(range(len(options)), 2), "truth": draw.random() < 0.5,
            "answer": f"So it is {i}.\n#### {i}", "raw": "A", "trimmed": "A", "number": i, "ending": f" {i}",
            "aliases": ["A", str(i)]})
    return documents


def answer_some(documents, long_texts, short_texts):
    """Gives a good part of the documents the answers that the model gives, in other words."""
    for i, (document, long, short) in enumerate(zip(documents, long_texts, short_texts)):
        numbers = re.findall(r"[#$ ]+(-?[0-9][0-9.,]*)", long)[:1] if i % 2 else re.findall(r"-?[$0-9.,]{2,}|-?[0-9]+", long)[-1:]
        if numbers and re.search("[0-9]", numbers[0]) and i % 5:
            document["answer"] = f"Step\n#### ${numbers[0].rstrip('.')}."
        if short.strip() and i % 3:
            document |= {"raw": short if i % 2 else short.strip(), "ending": short, "aliases": ["x", " " + short + "."]}
            document["trimmed"] = short.strip().lower() + "!" if re.search("(?a)\\w", short) and short.isascii() else "none"
        digits = re.findall("[0-9]+", short) or [str(i)]
        document["number"] = int(digits[0][:15])


def run(command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command} failed:\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return result.stdout


class World:
    """A model, tasks, and what lm_eval says of them."""

    def __init__(self, folder):
        self.folder = folder
        self.model = make_model(folder / "model")
        self.tasks = folder / "tasks"
        self.tasks.mkdir()
        (self.tasks / "family.yaml").write_text("group: family\ntask: [plain, as_written]\n")
        write_lines(folder / "train.jsonl", make_documents(12, seed=1))
        self.documents = make_documents(30, seed=2)

    def write_tasks(self, test):
        write_lines(self.folder / f"{test}.jsonl", self.documents)
        (self.tasks / "utils.py").write_text(CODE)
        refused = {name: text for name, (text, _, _) in REFUSED.items() if text}
        for name, text in (TASKS | refused).items():
            (self.tasks / f"{name}.yaml").write_text(f"task: {name}\n" + "tag: kin\n" * (name in GROUPS["kin"]) + text.format(dir=self.folder, test=test))

    def run(self, evaluate, imports):
        jobs = {"include_path": str(self.tasks), "import": imports,
                "evaluate": [{"model": self.model, "log_samples": True, **job} for job in evaluate]}
        (self.folder / "jobs.json").write_text(json.dumps(jobs))
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "cache"), "OMP_NUM_THREADS": "1"}
        run([peer_environments.lm_eval_python(), RUNNER, self.folder / "jobs.json"], env=environment)
        return json.loads((self.folder / "reply.json").read_text())

    def texts_of(self, result, task):
        samples = {sample["doc_id"]: sample["resps"][0][0] for sample in result["samples"][task]}
        return [samples[i] for i in range(len(samples))]

    def evaluate(self, out, task, *options):
        report = run([PROGRAM, "evaluate", self.model, out / f"{task}.yaml", "--dtype", "fp32", "--split", "test", "--json",
                      "--answers", *options], env={**os.environ, "OMP_NUM_THREADS": "1"})
        return json.loads(report)["results"][0]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("harness"))
    world.write_tasks("unanswered")
    result = world.run([{"tasks": ["gsm", "as_written"]}], [])["evaluate"][0]
    answer_some(world.documents, world.texts_of(result, "gsm"), world.texts_of(result, "as_written"))
    world.write_tasks("answered")
    jobs, imports = [], []
    for name, (task, arguments, options, _) in (CASES | CHATS).items():
        chat = name in CHATS
        jobs.append({"tasks": [task], "apply_chat_template": chat, "fewshot_as_multiturn": False, **arguments})
        imports.append([task, str(world.folder / name), "--shares", "0,0,100", *options, *(["--messages"] if chat else [])])
    imports += [[name, str(world.folder / name), "--shares", "50,25,25"] for name in GROUPS]
    imports += [[name, str(world.folder / "refused"), *options] for name, (_, options, _) in REFUSED.items()]
    reply = world.run(jobs, imports)
    world.results = dict(zip(CASES | CHATS, reply["evaluate"]))
    world.imports = dict(zip([*CASES, *CHATS, *GROUPS, *REFUSED], reply["import"]))
    return world


def samples_of(result, task, metric):
    """By document: the sample of the metric's filter."""
    name, _, filter_name = metric.partition(",")
    return name, {str(s["doc_id"]): s for s in result["samples"][task] if s["filter"] == (filter_name or "none")}


def expected_score(name, value):
    """What galapagos calls higher: its score for the harness's."""
    if name == "bits_per_byte":
        return -value * math.log(2)
    return -math.log(value) if "perplexity" in name else value


def check_item(name, sample, answer, item):
    value = sample[name]
    if isinstance(value, list):  # a log-likelihood and its units
        assert answer["score"] == pytest.approx(value[0] / value[1], abs=1e-4)
    elif name == "perplexity":
        assert answer["score"] == pytest.approx(value, abs=1e-4)
    else:
        assert answer["score"] == value
    if name == "exact_match":
        assert answer["text"] == sample["resps"][0][0]
    if "choices" in item:
        sums = [float(sums[0]) / (len(choice) if name == "acc_norm" else 1) for sums, choice in zip(sample["filtered_resps"], item["choices"])]
        assert answer["text"] == item["choices"][sums.index(max(sums))]


def check_case(world, name, case):
    task, _, _, metric = case
    out = world.folder / name
    result = world.results[name]
    assert "printed" in world.imports[name], world.imports[name]
    report = world.evaluate(out, task)
    metric_name, samples = samples_of(result, task, metric)
    items = {str(item["id"]): item for item in map(json.loads, (out / f"{task}.jsonl").read_text().splitlines())}
    assert sorted(items) == sorted(samples) == sorted(answer["id"] for answer in report["answers"])
    for answer in report["answers"]:
        check_item(metric_name, samples[answer["id"]], answer, items[answer["id"]])
    value = result["results"][task][metric if "," in metric else metric + ",none"]
    tolerance = 1e-4 if "per" in metric_name else 1e-6
    assert report["score"] == pytest.approx(expected_score(metric_name, value), abs=tolerance)
    return report


@pytest.mark.parametrize("name", CASES)
def test_same_answers_and_scores(name, world):
    report = check_case(world, name, CASES[name])
    if CASES[name][3].startswith(("acc", "exact")) and name not in TRIVIAL:
        assert 0 < report["score"] < 1, "a score that anything would give shows nothing"
    if name == "gsm long":
        assert report["truncated_items"] > 0


@pytest.mark.parametrize("name", CHATS)
def test_chats(name, world):
    task = CHATS[name][0]
    items = world.folder / name / f"{task}.jsonl"
    run([sys.executable, ROOT / "config/render_chat.py", world.model, items, items])
    check_case(world, name, CHATS[name])


@pytest.mark.parametrize("name", GROUPS)
def test_groups_and_tags(name, world):
    assert len(world.imports[name]["printed"].splitlines()) == len(GROUPS[name])
    for task in GROUPS[name]:
        lines = (world.folder / name / f"{task}.jsonl").read_text().splitlines()
        splits = [json.loads(line)["split"] for line in lines]
        assert set(splits) == {"train", "validation", "test"}
        assert world.evaluate(world.folder / name, task)["items"] == splits.count("test")


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name, world):
    refusal = world.imports[name].get("refusal", "")
    assert refusal.startswith(f"import_harness.py: {name}: ") and REFUSED[name][2] in refusal, world.imports[name]
    assert not (world.folder / "refused").exists()
