"""Runs the bench scripts of a folder, prints their rows as one table, and writes them to a file."""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS = ("name", "unit", "galapagos", "rival", "ratio", "floor", "goal", "met")


def text(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", required=True)
    parser.add_argument("--scripts", type=pathlib.Path, default=HERE, help="folder of the scripts (default: this one)")
    parser.add_argument("--output", type=pathlib.Path, default="bench.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts without .py; default: all that take --binary-dir")
    arguments = parser.parse_args()
    here = {path.stem: path for path in sorted(arguments.scripts.glob("*.py")) if path.name != "table.py" and "--binary-dir" in path.read_text()}
    unknown = [name for name in arguments.names if name not in here]
    if unknown:
        parser.error(f"no bench called {unknown[0]}: there are {', '.join(here)}")
    rows, failed = [], []
    for name in arguments.names or here:
        print(f"bench {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, here[name], "--binary-dir", arguments.binary_dir], stdout=subprocess.PIPE, text=True)
        if done.returncode == 0:
            rows += json.loads(done.stdout)
        else:
            failed.append(name)
        arguments.output.write_text(json.dumps(rows, indent=2) + "\n")
    table = [COLUMNS] + [tuple(text(row.get(column)) for column in COLUMNS) for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
    if failed:
        sys.exit(f"these did not run to their end: {', '.join(failed)}")


if __name__ == "__main__":
    main()
