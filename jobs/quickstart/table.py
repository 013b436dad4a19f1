"""Prints the quickstart's result table: the evolved model beside its parents and the hand-made merges.

    python jobs/quickstart/table.py RUN_DIR SCORES_DIR

SCORES_DIR holds what `galapagos evaluate --json` printed for each of the others.
"""

import json
import pathlib
import sys


def scores_of(path):
    """{split: score} of one evaluate report."""
    report = json.loads(path.read_text())
    return {entry["split"]: entry["score"] for entry in report["results"]}


def main():
    run, folder = map(pathlib.Path, sys.argv[1:3])
    rows = [(path.stem, scores_of(path)) for path in sorted(folder.glob("*.json"))]
    result = json.loads((run / "best" / "result.json").read_text())
    rows.append(("evolved", {split: (result.get(split) or {}).get("fitness") for split in ("train", "validation", "test")}))
    width = max(len(name) for name, _ in rows)
    show = lambda value: "    -" if value is None else f"{value:5.3f}"
    print(f"{'':{width}}  train  validation   test")
    for name, scores in rows:
        print(f"{name:{width}}  {show(scores.get('train'))}       {show(scores.get('validation'))}  {show(scores.get('test'))}")


if __name__ == "__main__":
    main()
