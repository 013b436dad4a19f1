"""How busy evaluators are: islands whose evaluator only sleeps, for times that differ from candidate to candidate."""

import argparse
import json
import re
import subprocess

GOAL = 97.0  # per cent


def measure(binary_dir, ranks, islands):
    command = ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", f"{binary_dir}/tests/bench/utilisation", str(islands)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {mode: float(busy) for mode, busy in re.findall(r"^(\w+) .* busy ([\d.]+) %", printed, re.MULTILINE)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", required=True)
    binary_dir = parser.parse_args().binary_dir
    rows = []
    # One island has nobody to hide behind: at the end of a generation its evaluators wait for the slowest candidates.
    for ranks, islands, goal in ((4, 4, GOAL), (4, 1, None)):
        for mode, busy in measure(binary_dir, ranks, islands).items():
            rows.append({"name": f"evaluators busy, {islands} x {ranks // islands}, {mode}", "unit": "%", "galapagos": busy, "rival": None,
                         "ratio": None, "floor": 100.0, "goal": goal, "met": None if goal is None else busy >= goal})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
