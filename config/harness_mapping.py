"""What tasks of lm-evaluation-harness mean in galapagos: the part of import_harness.py that needs no lm_eval.

Whatever galapagos would score in another way than the harness raises Refusal.
"""

import numbers
import re
import string

# What can be expressed of each kind of task, the best first: metrics, with how the harness sums them up over items.
METRICS = {
    "multiple_choice": {"acc_norm": "mean", "acc": "mean"},
    "loglikelihood": {"acc": "mean", "perplexity": "perplexity"},
    "loglikelihood_rolling": {
        "byte_perplexity": "weighted_perplexity",
        "bits_per_byte": "bits_per_byte",
        "word_perplexity": "weighted_perplexity",
    },
    "generate_until": {"exact_match": "mean"},
}
# What Python's re and PCRE2 read in two ways.
UNLIKE_PCRE2 = re.compile(r"\\[ZvuUN]|\{,|\[:\^?[a-z]+:\]|\(\?[imsx]*[aLu]")


class Refusal(Exception):
    def __init__(self, what, why, hint="write the items out by hand: config/tasks/README.md"):
        super().__init__(f"{what} ({why}) {hint}")


def check_task(task):
    """Refuses what no kind of task has."""
    config = task.config
    reasons = {
        f"it is the Python class {type(task).__name__}": type(task).__name__ != "ConfigurableTask",
        "it shows images or sounds": config.doc_to_image or config.doc_to_audio,
        "its process_results is Python code": config.process_results is not None,
        f"repeats is {config.repeats}": config.repeats != 1,
    }
    for reason, holds in reasons.items():
        if holds:
            raise Refusal("not expressible", reason)
    if task.multiple_input:
        raise Refusal("not expressible", "several inputs an item: the choices lie in the prompt")


def choose_metric(task, wanted):
    """The metric that becomes the score, with the settings that the task gives it."""
    known = METRICS[task.OUTPUT_TYPE]
    listed = task.aggregation()
    fit = [name for name in known if name in listed]
    if not fit or (wanted and wanted not in fit):
        raise Refusal(
            f"metric {wanted or ', '.join(listed)}: not expressible",
            f"of {task.OUTPUT_TYPE} galapagos has {', '.join(known)}",
            f"--metric {fit[0]}" if fit else "choose another task",
        )
    metric = wanted or fit[0]
    how = getattr(listed[metric], "__name__", str(listed[metric]))
    if how != known[metric]:
        raise Refusal(f"metric {metric}: not expressible", f"it is aggregated by {how}")
    for entry in task.config.metric_list or []:
        name = entry["metric"]
        if getattr(name, "__name__", name) == metric:
            if callable(name) or entry.get("hf_evaluate"):
                raise Refusal(f"metric {metric}: not expressible", "it is code of its own")
            standard = ("metric", "aggregation", "higher_is_better", "hf_evaluate")
            return metric, {key: value for key, value in entry.items() if key not in standard}
    return metric, {}


def gold_of(task, doc, choices):
    gold = task.doc_to_target(doc)
    if isinstance(gold, list) != bool(task.multiple_target):
        raise Refusal("not expressible", "some documents have a list of right choices, others not")
    if isinstance(gold, str) and gold in choices:
        gold = choices.index(gold)
    marked = gold if isinstance(gold, list) else [gold]
    right = [int(i) for i in marked if isinstance(i, numbers.Integral) and 0 <= i < len(choices)]
    if not right:
        raise Refusal("not expressible", f"no choice is right: {gold!r} of {choices!r}")
    return right if task.multiple_target else right[0]


def multiple_choice(task, metric, documents):
    items, delimiters = [], set()
    for instances in documents:
        doc = instances[0].doc
        choices = list(task.doc_to_choice(doc))
        if not all(isinstance(choice, str) and choice for choice in choices):
            raise Refusal("not expressible", f"a choice is empty or no text: {choices!r}")
        items.append({"choices": choices, "gold": gold_of(task, doc, choices)})
        delimiters.add(instances[0].args[1].removesuffix(choices[0]))
    settings = {"choices": "choices", "gold": "gold", "delimiter": delimiters.pop(), "metric": metric}
    return {"kind": "multiple_choice", "multiple_choice": settings}, items


def loglikelihood(metric, documents):
    items = [{"continuation": instances[0].args[1]} for instances in documents]
    if not all(item["continuation"] for item in items):
        raise Refusal("not expressible", "a continuation is empty")
    metric = {"acc": "greedy", "perplexity": "sum"}[metric]
    settings = {"continuation": "{continuation}", "metric": metric}
    return {"kind": "loglikelihood", "loglikelihood": settings}, items


def perplexity(metric, documents):
    texts = [instances[0].args[0] for instances in documents]
    if metric == "word_perplexity" and any(text != text.strip() for text in texts):
        raise Refusal(
            "metric word_perplexity: not expressible",
            "a text begins or ends with white space, where the harness counts a word more",
            "--metric byte_perplexity, if the task has it",
        )
    if not all(text.strip() for text in texts):
        raise Refusal("not expressible", "a text is empty")
    settings = {"text": "{text}", "unit": "word" if metric == "word_perplexity" else "byte"}
    # The harness has the tokenizer's own tokens (BOS) predicted like the others.
    settings = {"kind": "perplexity", "add_special_tokens": True, "perplexity": settings}
    return settings, [{"text": text} for text in texts]


def generation(options):
    """max_new_tokens and stop strings of a greedy generation; the harness's defaults."""
    options = dict(options)
    lengths = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
    given = [options.pop(key, None) for key in lengths]
    stop = options.pop("until", [])
    stop = stop if isinstance(stop, list) else [stop]
    sample, temperature = options.pop("do_sample", None), options.pop("temperature", None) or 0
    if sample or (sample is None and temperature > 0):
        raise Refusal("not expressible", "answers are sampled")
    for harmless in ("top_p", "top_k"):  # without sampling
        options.pop(harmless, None)
    if options:
        raise Refusal("not expressible", f"generation_kwargs has {', '.join(options)}")
    if not all(isinstance(text, str) and text for text in stop):
        raise Refusal("not expressible", f"a stop string is empty or no text: {stop!r}")
    length = int(next((value for value in given if value is not None), 256))
    return {"max_new_tokens": length, "stop": stop}


def checked_pattern(pattern):
    found = UNLIKE_PCRE2.search(pattern.replace("\\\\", ""))
    if found:
        raise Refusal(
            f"pattern {pattern!r}: not expressible",
            f"{found[0]} means something else in PCRE2 than in Python",
        )
    return pattern


def can_match_nothing(pattern):
    parser = getattr(re, "_parser", None) or __import__("sre_parse")
    return parser.parse(pattern).getwidth()[0] == 0


def choose_filter(task, name):
    """The steps of one of the task's filters, and its name."""
    filters = task.config.filter_list or [{"name": "none", "filter": [{"function": "take_first"}]}]
    names = [entry["name"] for entry in filters]
    if name and name not in names:
        raise Refusal(f"filter {name}: not there", f"the task has {', '.join(names)}", "choose one")
    chosen = filters[names.index(name)] if name else filters[0]
    return chosen["name"], chosen["filter"]


def names_of(steps):
    return [getattr(step["function"], "__name__", step["function"]) for step in steps]


def extraction(name, steps):
    """Keys of `answer` for a filter, and what it makes of a text in which nothing is found."""
    functions = names_of(steps)
    allowed = (["regex"], ["regex", "remove_whitespace"], ["remove_whitespace"], [])
    if functions[-1:] != ["take_first"] or functions[:-1] not in allowed:
        raise Refusal(f"filter {name}: not expressible", f"it is {' | '.join(functions)}")
    if functions[0] != "regex":
        return {"trim": "answer" if functions[0] == "remove_whitespace" else "none"}, None
    select = steps[0].get("group_select", 0)
    pattern = checked_pattern(steps[0].get("regex_pattern", r"#### (\-?[0-9\.\,]+)"))
    if select not in (0, -1):
        raise Refusal(f"filter {name}: not expressible", f"it takes match {select}")
    if select == -1 and can_match_nothing(pattern):
        raise Refusal(f"filter {name}: not expressible", "its last match may be empty")
    answer = {"pattern": pattern, "match": "last" if select else "first", "trim": "answer"}
    if re.compile(pattern).groups > 1:
        answer["group"] = "any"
    return answer, steps[0].get("fallback", "[invalid]")


def comparison(options):
    """Keys of `answer` for the settings of exact_match."""
    options = dict(options)
    remove = [checked_pattern(pattern) for pattern in options.pop("regexes_to_ignore", None) or []]
    answer = {"ignore_case": True} if options.pop("ignore_case", False) else {}
    if options.pop("ignore_punctuation", False):
        remove.append("[" + re.escape(string.punctuation) + "]")
    if options.pop("ignore_numbers", False):
        remove.append("[0-9]")
    if options:
        raise Refusal("metric exact_match: not expressible", f"it has {', '.join(options)}")
    return answer | ({"remove": remove} if remove else {})


def compared(text, answer):
    for pattern in answer.get("remove", []):
        text = re.sub(pattern, "", text)
    return text.lower() if answer.get("ignore_case") else text


def targets_of(task, doc):
    """The right answers, as ConfigurableTask.process_results takes them."""
    gold = task.doc_to_target(doc)
    if task.config.doc_to_choice is not None:
        return [task.doc_to_choice(doc)[gold]]
    if not task.multiple_target:
        return [str(gold)]
    if not (isinstance(gold, list) and gold and all(isinstance(target, str) for target in gold)):
        raise Refusal("not expressible", f"no list of right answers, as others have: {gold!r}")
    return gold


def check_target(target, answer, fallback):
    right = compared(target, answer)
    if not right.strip():
        raise Refusal("not expressible", f"a right answer is empty: {target!r}")
    if fallback is not None and compared(str(fallback), answer) == right:
        raise Refusal("not expressible", f"finding nothing is right: fallback {fallback!r}")
    odd = [c for c in right if not c.isascii() and (c.lower(), c.upper()) != (c, c)]
    if answer.get("ignore_case") and odd:
        raise Refusal("not expressible", f"ignore_case with {odd[0]!r}: galapagos knows A to Z")


def generate(task, answer, fallback, documents):
    items = []
    for instances in documents:
        targets = targets_of(task, instances[0].doc)
        for target in targets:
            check_target(target, answer, fallback)
        items.append({"answer": targets if task.multiple_target else targets[0]})
    settings = generation(documents[0][0].args[1])
    return {"kind": "generate", "generate": settings, "answer": answer}, items


def convert(task, documents, wanted_metric=None, filter_name=None):
    """The task file as a dictionary without name and items, and the items; `documents` holds the requests of each."""
    metric, options = choose_metric(task, wanted_metric)
    name, steps = choose_filter(task, filter_name)
    if task.OUTPUT_TYPE != "generate_until" and names_of(steps) != ["take_first"]:
        raise Refusal(f"filter {name}: not expressible", f"it is {' | '.join(names_of(steps))}")
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return perplexity(metric, documents)
    if task.OUTPUT_TYPE == "multiple_choice":
        settings, items = multiple_choice(task, metric, documents)
    elif task.OUTPUT_TYPE == "loglikelihood":
        settings, items = loglikelihood(metric, documents)
    else:
        answer, fallback = extraction(name, steps)
        settings, items = generate(task, answer | comparison(options), fallback, documents)
    prompts = [{"prompt": instances[0].args[0]} for instances in documents]
    return {"prompt": "{prompt}", **settings}, [a | b for a, b in zip(prompts, items)]
