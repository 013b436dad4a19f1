#!/usr/bin/env python3
"""Writes the items of mgsm-ja.yaml: Japanese word problems to evolve on, to choose by, and to test with.

    pip install datasets && python jobs/evollm-jp/fetch_items.py

What is evolved on are the 1069 problems of GSM8K that MGSM lacks; every fifth of them, by a hash of its text, is kept for
validation. The test is MGSM's Japanese part. --train and --test name other data sets of a hub, or JSONL files, with the
fields `question` and `answer_number`.
"""

import argparse
import hashlib
import json
import pathlib
import sys

TRAIN = "SakanaAI/gsm8k-ja-test_250-1319"
TEST = "jbross-ibm-research/mgsm:ja"  # name:configuration


def read_problems(name):
    if name.endswith(".jsonl"):
        with open(name, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    import datasets  # only for data sets of a hub

    name, _, configuration = name.partition(":")
    return list(datasets.load_dataset(name, configuration or None, split="test"))


def is_for_validation(question):
    return hashlib.sha256(question.encode("utf-8")).digest()[0] % 5 == 0


def write_items(path, problems):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for problem in problems:
            item = {"question": problem["question"], "answer_number": problem["answer_number"]}
            out.write(json.dumps(item, ensure_ascii=False) + "\n")
    print(f"{len(problems)} items in {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--train", default=TRAIN, help="problems to evolve on (default: %(default)s)")
    parser.add_argument("--test", default=TEST, help="problems to test with (default: %(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "items")
    arguments = parser.parse_args()
    try:
        problems = read_problems(arguments.train)
        test = read_problems(arguments.test)
        known = {problem["question"] for problem in test}
        problems = [problem for problem in problems if problem["question"] not in known]
        held_out = [is_for_validation(problem["question"]) for problem in problems]
        write_items(arguments.out / "train.jsonl", [p for p, held in zip(problems, held_out) if not held])
        write_items(arguments.out / "validation.jsonl", [p for p, held in zip(problems, held_out) if held])
        write_items(arguments.out / "test.jsonl", test)
    except KeyError as error:
        sys.exit(f"fetch_items.py: a problem has no field {error} (the fields are `question` and `answer_number`)")
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"fetch_items.py: {error}")


if __name__ == "__main__":
    main()
