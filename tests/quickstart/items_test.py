"""The quickstart's items and training data keep the promises of jobs/quickstart/README.md."""

import itertools
import json
import random
import re
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).resolve().parents[2] / "jobs" / "quickstart"
sys.path.insert(0, str(QUICKSTART))

import expert_data
import make_items

SPLITS = list(make_items.SPLIT_SIZES)


@pytest.fixture(scope="module")
def items():
    return {split: [json.loads(line) for line in
                    (QUICKSTART / "items" / f"{split}.jsonl").read_text().splitlines()]
            for split in SPLITS}


def names_in(text):
    return set(re.findall(r"\b[A-Z]\w+\b", text)) & set(make_items.NAMES)


def test_committed_items_are_what_the_generator_writes(items):
    for split, count in make_items.SPLIT_SIZES.items():
        assert items[split] == make_items.make_split(split, count)


def test_answers_are_right(items):
    for item in itertools.chain(*items.values()):
        a, b = map(int, re.findall(r"\d+", item["question"]))
        assert item["answer"] in (a + b, abs(a - b), a * b), item


def test_splits_share_no_question_no_numbers_and_no_name(items):
    for one, other in itertools.combinations(SPLITS, 2):
        questions = [{item["question"] for item in items[split]} for split in (one, other)]
        assert not questions[0] & questions[1]
        names = [set().union(*map(names_in, found)) for found in questions]
        assert names[0] and not names[0] & names[1]
        for operation in make_items.OPERATIONS:
            pairs = [{tuple(sorted(pair)) for pair in make_items.number_pairs(operation, split)}
                     for split in (one, other)]
            assert pairs[0] and not pairs[0] & pairs[1], operation


def test_the_experts_have_seen_no_item(items):
    asked = {item["question"].removesuffix(make_items.INSTRUCTION)
             for item in itertools.chain(*items.values())}
    names = set().union(*map(names_in, asked))
    rng = random.Random(1)
    problems = make_items.WordProblems("experts", rng)
    for _ in range(2000):
        question, _ = expert_data.draw_word_problem(problems, rng)
        assert make_items.INSTRUCTION not in question
        assert question not in asked and not names_in(question) & names


def test_the_experts_have_seen_none_of_the_numbers_added_and_subtracted():
    for operation, split in itertools.product(("add", "subtract"), SPLITS):
        seen = {tuple(sorted(pair)) for pair in make_items.number_pairs(operation, "experts")}
        assert not seen & {tuple(sorted(p)) for p in make_items.number_pairs(operation, split)}


def test_the_json_expert_has_seen_no_digit():
    rng = random.Random(1)
    for _ in range(2000):
        question, answer = expert_data.draw_look_up(rng)
        assert question.endswith(make_items.INSTRUCTION) and not re.search(r"\d", question + answer)
        assert json.loads(answer)["answer"] in question
