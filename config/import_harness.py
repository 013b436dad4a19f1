#!/usr/bin/env python3
"""Writes tasks of lm-evaluation-harness as tasks of galapagos: OUT_DIR/TASK.yaml and OUT_DIR/TASK.jsonl.

    config/import_harness.py TASK OUT_DIR

TASK is what `lm_eval --tasks` takes: a task, a group or a tag (a pair of files for each of its tasks), or a YAML file.
The installed lm_eval loads the data set and builds the requests, so that prompts, few-shot examples and answers are the
harness's own. What galapagos would score in another way is refused, with the reason. Needs lm_eval 0.4.13 or later.
"""

import argparse
import collections
import hashlib
import itertools
import json
import pathlib
import random
import re
import sys

from harness_mapping import Refusal, check_task, convert

SPLITS = ("train", "validation", "test")


def read_shares(text):
    shares = [float(part) for part in text.split(",")]
    if len(shares) != len(SPLITS) or min(shares) < 0 or abs(sum(shares) - 100) > 1e-9:
        raise argparse.ArgumentTypeError(f"'{text}' isn't three shares that add up to 100")
    return shares


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("task", metavar="TASK", help="task, group, tag or YAML file, as for lm_eval --tasks")
    add("out", metavar="OUT_DIR", type=pathlib.Path, help="folder for TASK.yaml and TASK.jsonl")
    add("--include-path", metavar="DIR", action="append", default=[], help="folder with YAML tasks")
    add("--num-fewshot", metavar="N", type=int, help="examples in a prompt (default: the task's)")
    add("--seed", type=int, default=1234, help="of few-shot examples and splits (default: 1234)")
    add("--limit", metavar="N", type=int, help="only the first N documents")
    add(
        "--shares",
        metavar="A,B,C",
        type=read_shares,
        default=[60, 20, 20],
        help="per cent of documents for train, validation and test (default: 60,20,20)",
    )
    add("--metric", help="metric that becomes the score (default: acc_norm before acc)")
    add("--filter", help="name of one of a task's filters (default: the first)")
    add("--system-instruction", metavar="TEXT", help="as lm_eval's")
    add("--messages", action="store_true", help="messages for render_chat.py in place of prompts")
    add("--multiturn", action="store_true", help="with --messages: few-shot examples as turns")
    return parser.parse_args()


def load_tasks(arguments):
    """Tasks by name. Seeds are those of lm_eval, for tasks that draw when they load."""
    try:
        import numpy
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        hint = "install it beside your own packages: pip install lm_eval"
        raise Refusal("lm_eval can't be imported", str(error), hint) from None
    if not hasattr(TaskManager, "load"):
        raise Refusal("this lm_eval is too old", "its TaskManager has no load", "pip install -U lm_eval")
    random.seed(0)
    numpy.random.seed(1234)
    return TaskManager(include_path=arguments.include_path).load(arguments.task)["tasks"]


def capture_messages(messages, add_generation_prompt=True):
    """Stands in for the model's chat template."""
    if not add_generation_prompt:
        raise Refusal("--messages: not expressible", "the task begins the answer (gen_prefix)")
    return json.dumps(messages)


def build_requests(task, arguments):
    """(number of the document, its requests) for all documents, as lm_eval.simple_evaluate makes them."""
    if arguments.num_fewshot is not None and task.config.num_fewshot != 0:
        task.set_config("num_fewshot", arguments.num_fewshot)
    if task.config.num_fewshot is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(arguments.seed)
    task.build_all_requests(
        limit=arguments.limit,
        system_instruction=arguments.system_instruction,
        apply_chat_template=arguments.messages,
        fewshot_as_multiturn=arguments.multiturn,
        chat_template=capture_messages if arguments.messages else None,
    )
    groups = itertools.groupby(task.instances, key=lambda instance: instance.doc_id)
    return [(number, list(requests)) for number, requests in groups]


def split_of(question, seed, shares):
    digest = hashlib.sha256(f"{seed}:{question}".encode("utf-8")).digest()
    point = int.from_bytes(digest[:8], "big") / 2**64 * 100
    return SPLITS[0 if point < shares[0] else 1 if point < shares[0] + shares[1] else 2]


def place_items(items, questions, seed, shares):
    """Gives items their split, by the question (without few-shot examples); leaves exact duplicates out.

    What galapagos takes for one question, a prompt with its choices, lands in one split whatever the hash says.
    """
    placed, split_of_prompt = {}, {}
    for item, question in zip(items, questions):
        prompt = item.get("prompt") or item.get("text") or item.get("continuation")
        prompt = json.dumps([prompt, item.get("choices")])
        split = split_of_prompt.setdefault(prompt, split_of(question or prompt, seed, shares))
        content = json.dumps({key: value for key, value in item.items() if key != "id"})
        placed.setdefault(content, {**item, "split": split})
    return list(placed.values())


def shows_other_documents(task):
    """Whether few-shot examples are documents that are evaluated themselves."""
    config, examples = task.config, task.config.fewshot_config
    if not config.num_fewshot or (examples.split is None and examples.samples is not None):
        return False
    evaluated = config.test_split or config.validation_split
    splits = (examples.split, config.training_split, config.validation_split, evaluated)
    return evaluated == next(split for split in splits if split is not None)


def remarks_on(task, duplicates, arguments):
    ignored = arguments.num_fewshot not in (None, task.config.num_fewshot)
    shown = max(arguments.shares) < 100 and shows_other_documents(task)
    remarks = {
        f"{duplicates} exact duplicates left out": duplicates > 0,
        "no few-shot examples: lm_eval keeps to a task that says 0": ignored,
        "few-shot examples come from the same documents: prompts of one split show others' answers": shown,
        "render its messages with config/render_chat.py before use": arguments.messages,
    }
    return [remark for remark, holds in remarks.items() if holds]


def import_task(name, task, arguments):
    """The task file as a dictionary, its items, and what to tell of them."""
    check_task(task)
    documents = build_requests(task, arguments)
    requests = [requests for _, requests in documents]
    settings, items = convert(task, requests, arguments.metric, arguments.filter)
    has_prompt = settings["kind"] != "perplexity"
    if arguments.messages and not has_prompt:
        raise Refusal("--messages: means nothing", "the task has no prompts", "leave it out")
    items = [{"id": number, **item} for (number, _), item in zip(documents, items)]
    questions = [has_prompt and task.doc_to_text(of_one[0].doc) for of_one in requests]
    placed = place_items(items, questions, arguments.seed, arguments.shares)
    if arguments.messages:
        for item in placed:
            item["messages"] = json.loads(item.pop("prompt"))
    file = {"galapagos_task": 1, "name": name, "items": {"file": f"{name}.jsonl", "split_field": "split"}}
    return file | settings, placed, remarks_on(task, len(items) - len(placed), arguments)


def yaml_text(settings, indent=""):
    """YAML with values as JSON."""
    lines = []
    for key, value in settings.items():
        if isinstance(value, dict):
            lines.append(f"{indent}{key}:\n" + yaml_text(value, indent + "  "))
        else:
            lines.append(f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def write(path, text):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_task(folder, task, settings, items):
    source = f"# lm-evaluation-harness: {task.config.task}, {task.config.num_fewshot} few-shot examples\n"
    lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items]
    write(folder / f"{settings['name']}.jsonl", "".join(lines))
    write(folder / f"{settings['name']}.yaml", source + yaml_text(settings))


def report(settings, items, remarks):
    counts = collections.Counter(item["split"] for item in items)
    print(f"{settings['name']}: {settings['kind']}, " + ", ".join(f"{counts[s]} {s}" for s in SPLITS))
    for remark in remarks:
        print(f"{settings['name']}: {remark}")


def main():
    arguments = read_arguments()
    place = arguments.task
    try:
        imported = []
        for name, task in load_tasks(arguments).items():
            place = name
            name = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
            imported.append((task, *import_task(name, task, arguments)))
    except Refusal as error:
        sys.exit(f"import_harness.py: {place}: {error}")
    except Exception as error:  # the harness runs code of the task and its data set
        what = f"{type(error).__name__}: {error}"
        sys.exit(f"import_harness.py: {place}: lm_eval can't make its requests ({what}) see what lm_eval itself says")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for task, settings, items, remarks in imported:
            write_task(arguments.out, task, settings, items)
            report(settings, items, remarks)
    except OSError as error:
        sys.exit(f"import_harness.py: can't write ({error})")


if __name__ == "__main__":
    main()
