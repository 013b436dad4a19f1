#!/usr/bin/env python3
"""Writes the quickstart's items: word problems whose answer is asked for in JSON.

    make_items.py [FOLDER]        FOLDER defaults to items/ beside this script

Every pair of numbers belongs to one split, by the SHA-256 of the operation and the two numbers, and
so does every name. So train, validation and test share no question, no numbers and no names, and
none of them shares a question with the data that make_experts.py trains on.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

SPLIT_SIZES = {"train": 60, "validation": 96, "test": 192}
SEED = 20250
INSTRUCTION = " Answer in JSON."

NAMES = """Ada Alan Amina Ben Bruno Carla Chloe Daniel Diego Elena Emma Erik Farah Felix Fiona
Gina Hana Hugo Ida Ivan Jack Jana Jonas Julia Karim Kate Lena Leo Lily Luca Lucy Maria Marta Max
Mia Mila Nadia Nina Noah Nora Olga Oscar Paul Petra Rosa Ruth Sam Sara Simon Sofia Tara Theo Tim
Tom Tomas Uma Vera Victor Yara Yusuf Zoe""".split()
THINGS = """apples balls books boxes buttons cakes candles cards chairs coins cookies cups eggs
flowers hats keys lemons marbles pears pencils pens photos plants plates shells stamps stickers
stones tickets toys""".split()
CONTAINERS = "bags baskets boxes drawers jars shelves".split()

ADD = [
    "{name} has {a} {things} and buys {b} more. How many {things} does {name} have now?",
    "{name} has {a} {things}. A friend gives {name} {b} more. How many {things} does {name} have?",
    "There are {a} {things} on the table. {name} adds {b} more. How many {things} are there now?",
    "{name} found {a} {things} on Monday and {b} on Tuesday. How many {things} did {name} find?",
    "{name} has {a} {things} and {other} has {b}. How many {things} do they have together?",
    "A shop sold {a} {things} to {name} and {b} to {other}. How many {things} did it sell?",
]
SUBTRACT = [
    "{name} had {a} {things} and lost {b}. How many {things} are left?",
    "{name} had {a} {things} and gave {b} to {other}. How many {things} does {name} have now?",
    "There were {a} {things} in the box. {name} took {b}. How many {things} are still there?",
    "{name} needs {a} {things} and already has {b}. How many more {things} does {name} need?",
    "{name} has {a} {things} and {other} has {b}. How many more {things} does {name} have?",
    "{name} made {a} {things} and sold {b} of them. How many {things} did {name} keep?",
]
MULTIPLY = [
    "{name} has {a} {containers} with {b} {things} each. How many {things} does {name} have?",
    "There are {a} {containers}. Each holds {b} {things}. How many {things} are there?",
    "{name} buys {b} {things} every day for {a} days. How many {things} does {name} buy?",
    "{a} friends of {name} have {b} {things} each. How many {things} do the friends have?",
    "{name} puts {things} in {a} rows of {b}. How many {things} are there?",
    "Each of the {a} {containers} of {name} holds {b} {things}. How many {things} are there?",
]
OPERATIONS = {
    "add": (ADD, range(3, 31), range(2, 20), lambda a, b: a + b),
    "subtract": (SUBTRACT, range(6, 31), range(2, 20), lambda a, b: a - b),
    "multiply": (MULTIPLY, range(2, 10), range(2, 10), lambda a, b: a * b),
}


def hashed(text, buckets):
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % buckets


def split_of_name(name):
    """Half of the names are for the experts' data, the rest for the task's three splits."""
    return (["experts"] * 4 + ["train", "validation", "test", "test"])[hashed(name, 8)]


def split_of_numbers(operation, a, b):
    """A pair and its mirror image are one: 3 x 8 and 8 x 3 never lie in different splits.

    Of the multiplication table nothing is kept from the experts: it can only be learnt by heart.
    """
    low, high = sorted((a, b))
    task = ["train", "validation", "test", "test"]
    choices = task if operation == "multiply" else ["experts"] * 12 + task
    return choices[hashed(f"{operation} {low} {high}", len(choices))]


def number_pairs(operation, split):
    _, firsts, seconds, answer = OPERATIONS[operation]
    pairs = [(a, b) for a in firsts for b in seconds if answer(a, b) > 1]
    if split == "experts" and operation == "multiply":
        return pairs
    return [pair for pair in pairs if split_of_numbers(operation, *pair) == split]


class WordProblems:
    """Draws word problems of one split: pairs (question without instruction, answer)."""

    def __init__(self, split, rng):
        self.rng = rng
        self.names = [name for name in NAMES if split_of_name(name) == split]
        self.pairs = {operation: number_pairs(operation, split) for operation in OPERATIONS}

    def draw(self, operation):
        templates, _, _, answer = OPERATIONS[operation]
        a, b = self.rng.choice(self.pairs[operation])
        name, other = self.rng.sample(self.names, 2)
        things = self.rng.choice(THINGS)
        containers = self.rng.choice([word for word in CONTAINERS if word != things])
        question = self.rng.choice(templates).format(a=a, b=b, name=name, other=other,
                                                     things=things, containers=containers)
        return question, answer(a, b)


def make_split(split, count):
    problems = WordProblems(split, random.Random(f"{SEED} {split}"))
    operations, items, seen = list(OPERATIONS), [], set()
    while len(items) < count:
        question, answer = problems.draw(operations[len(items) % len(operations)])
        if question not in seen:
            seen.add(question)
            items.append({"id": f"{split}-{len(items) + 1:03}",
                          "question": question + INSTRUCTION, "answer": answer})
    return items


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "items"
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in SPLIT_SIZES.items():
        lines = [json.dumps(item) + "\n" for item in make_split(split, count)]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"wrote {folder / split}.jsonl ({count} items)")


if __name__ == "__main__":
    main()
