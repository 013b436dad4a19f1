"""The GPU benches at tiny sizes on the emulated device: that they run to their end and measure all that they should."""

import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("GALAPAGOS_BINARY_DIR", ROOT / "build/ci"))
PROGRAM = BINARIES / "tests/emulator/emulated_gpu_candidate"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="this build has no CUDA code")


@pytest.mark.parametrize(("bench", "options", "expected"), [
    ("merge", ["--methods", "ties", "dare_ties", "linear", "della"],
     {"merge linear", "merge ties, the first with statistics", "merge dare_ties, host's share", "merge della", "sources to the GPU"}),
    ("decoder", [], {"tiny generation", "tiny prompts", "tiny choices", "tiny single"}),
    ("evolution", [], {"a candidate of a search (rival: plan)", "its merge (rival: plan)", "time in candidates"}),
])
def test_tiny_bench(bench, options, expected):
    command = [sys.executable, ROOT / f"tests/gpu/bench/{bench}.py", "--binary-dir", BINARIES, "--tiny", *options]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert expected <= rows.keys()
    for name in expected:
        assert rows[name]["galapagos"] > 0 and math.isfinite(rows[name]["galapagos"])


def test_unknown_work_is_refused(tmp_path):
    (tmp_path / "recipe.yaml").write_text("merge_method: linear\nmodels: []\n")
    done = subprocess.run([PROGRAM, "decode", tmp_path / "recipe.yaml", "batch=generate:1"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "batch=generate:1 is no work" in done.stderr
