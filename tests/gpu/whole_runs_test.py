"""Whole runs of the program on one GPU or two. tests/gpu/whole_runs.sh starts this; GALAPAGOS_TEST_DEVICE=cpu rehearses it on the CPU."""

import functools
import importlib.util
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
# The tiny models and the reader of histories are those of tests/app (tests import `conftest`, so there can be only one).
_spec = importlib.util.spec_from_file_location("tiny_evolutions", SOURCE / "tests/app/conftest.py")
app = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(app)

DEVICE = os.environ.get("GALAPAGOS_TEST_DEVICE", "gpu")
QUICKSTART_EVALUATIONS = os.environ.get("GALAPAGOS_TEST_QUICKSTART_EVALUATIONS", "56")
ON_DEVICE = ["--set", f"evaluation.device={DEVICE}", "--set", "evaluation.share_gpus=true"]

# NCCL takes two ranks on one GPU if they seem to be on different hosts. They take turns there, which other algorithms are slow at.
ONE_GPU = ("NCCL_HOSTID=$OMPI_COMM_WORLD_RANK NCCL_MULTI_RANK_GPU_ENABLE=1 NCCL_NVLS_ENABLE=0 "
           "NCCL_ALGO=Ring NCCL_PROTO=Simple exec \"$0\" \"$@\"")

GENERATE = """
galapagos_task: 1
name: text
kind: generate
items: {test: test.jsonl}
prompt: "{context}"
generate: {max_new_tokens: 24}
answer: {pattern: "(.*)", compare: exact, target: "{continuation}"}
"""


@functools.cache
def doctor():
    return json.loads(app.run_alone("doctor", "--json")[0])


@pytest.fixture(autouse=True, scope="module")
def device():
    found = doctor()["device_auto"]
    if DEVICE == "gpu" and found["device"] != "gpu":
        pytest.skip(f"no GPU: {found['why']}")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = app.make_tiny(tmp_path_factory.mktemp("tiny"))
    (folder / "generate.yaml").write_text(GENERATE)
    return folder


@pytest.fixture
def write_config(tiny, tmp_path):
    def write(islands=1, generations=4, method="[ties, dare_ties]"):
        path = tmp_path / "evolve.yaml"
        path.write_text(app.CONFIG.format(models=tiny, islands=islands, generations=generations, method=method, optimizer="ga"))
        return path
    return write


def command(ranks, *arguments):
    """As app.command, with the environment of ranks that share a GPU where there are fewer than these."""
    launcher = app.command(ranks, *arguments)
    if ranks <= len(doctor()["nodes"][0]["gpus"]):
        return launcher
    program = launcher.index(str(app.PROGRAM))
    return launcher[:program] + ["bash", "-c", ONE_GPU] + launcher[program:]


def run(ranks, *arguments, timeout=600):
    done = subprocess.run(command(ranks, *arguments), cwd=SOURCE, env=app.ENVIRONMENT, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def evolve(ranks, config, run_dir, *options, timeout=600):
    out = run(ranks, "evolve", config, "--run-dir", run_dir, *ON_DEVICE, *options, timeout=timeout)
    (line,) = [line for line in out.splitlines() if line.startswith("computing on")]
    assert ("CPU" in line) == (DEVICE == "cpu"), line
    assert ("The sources (" in out) == (DEVICE != "cpu"), "where the sources lie, and why"
    return app.history(run_dir)


def answers(tiny, model, task, device, ranks=1):
    """What each item of the task got, in fp32."""
    out = run(ranks, "evaluate", model, task, "--dtype", "fp32", "--split", "test", "--device", device, "--share-gpus", "--json", "--answers")
    (result,) = json.loads(out)["results"]
    return result["answers"]


def write_recipe(tiny, folder, method):
    path = folder / f"{method}.yaml"
    path.write_text(f"merge_method: {method}\nbase_model: {tiny}/base\nmodels: [{{model: {tiny}/a}}, {{model: {tiny}/b}}]\n"
                    "parameters: {weight: 0.6, density: 0.5}\n")
    return path


@pytest.mark.parametrize("method", ["task_arithmetic", "ties", "dare_ties", "della"])
def test_the_text_in_fp32_is_the_cpus(tiny, tmp_path, method):
    recipe = write_recipe(tiny, tmp_path, method)
    expected = [answer["text"] for answer in answers(tiny, recipe, tiny / "generate.yaml", "cpu")]
    assert len(set(expected)) > 5, "the items tell models apart"
    assert [answer["text"] for answer in answers(tiny, recipe, tiny / "generate.yaml", DEVICE)] == expected
    assert [answer["text"] for answer in answers(tiny, recipe, tiny / "generate.yaml", DEVICE, ranks=2)] == expected


def test_scores_in_fp32_are_the_cpus_to_rounding(tiny, tmp_path):
    recipe = write_recipe(tiny, tmp_path, "ties")
    expected = [answer["score"] for answer in answers(tiny, recipe, tiny / "task.yaml", "cpu")]
    for ranks in (1, 2):
        found = [answer["score"] for answer in answers(tiny, recipe, tiny / "task.yaml", DEVICE, ranks)]
        assert found == pytest.approx(expected, abs=1e-4)


def test_two_islands_share_the_gpu_and_a_second_run_is_the_same(write_config, tmp_path):
    config = write_config(islands=2)
    first = evolve(2, config, tmp_path / "first")
    assert len(first["islands"]) == 2
    assert all(candidate["status"] == "evaluated" for island in first["islands"] for candidate in island["candidates"])
    assert evolve(2, config, tmp_path / "second") == first


def test_the_history_is_the_same_with_two_evaluators(write_config, tmp_path):
    config = write_config()
    assert evolve(2, config, tmp_path / "two") == evolve(1, config, tmp_path / "one")


@pytest.mark.parametrize("reductions", ["exact", "fast"])
def test_two_ranks_share_a_candidate_and_a_second_run_is_the_same(write_config, tmp_path, reductions):
    config = write_config()
    options = ["--set", "evaluation.tensor_parallel=2", "--set", f"evaluation.reductions={reductions}"]
    first = evolve(2, config, tmp_path / "first", *options)
    assert evolve(2, config, tmp_path / "second", *options) == first
    # The first candidates don't depend on scores: one rank gives them the same, to rounding.
    alone = evolve(1, config, tmp_path / "alone")
    for mine, theirs in zip(first["islands"][0]["candidates"][:6], alone["islands"][0]["candidates"][:6]):
        assert mine["genome"] == theirs["genome"]
        assert mine["fitness"] == pytest.approx(theirs["fitness"], abs=1e-4)


@pytest.mark.parametrize("width", [1, 2])
def test_killed_and_resumed_the_history_is_the_undisturbed_runs(write_config, tmp_path, width):
    config = write_config(islands=2 // width, generations=40)
    options = ["--set", f"evaluation.tensor_parallel={width}"]
    expected = evolve(2, config, tmp_path / "undisturbed", *options)
    run_dir = tmp_path / "killed"
    process = subprocess.Popen(command(2, "evolve", config, "--run-dir", run_dir, *ON_DEVICE, *options), env=app.ENVIRONMENT, cwd=SOURCE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 300
    while len(list(run_dir.glob("checkpoint/*.ckpt"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.poll() is None, "it ended before it could be killed"
    kill_session(process)
    assert evolve(2, config, run_dir, *options) == expected
    assert len(list(run_dir.glob("islands/i0000.part*.h5"))) == 2


def kill_session(process):
    """kill -9 of mpirun and the ranks that it started."""
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == process.pid:
                os.kill(int(entry), signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


@pytest.mark.slow
def test_the_quickstart(tmp_path):
    if not (SOURCE / ".deps/models/smollm2/model.safetensors").exists():
        pytest.skip("the quickstart's model is not there: ./setup.sh")
    config = SOURCE / "jobs/quickstart/evolve.yaml"
    budget = ["--set", f"budget.evaluations={QUICKSTART_EVALUATIONS}"]
    found = evolve(2, config, tmp_path / "run", *budget, timeout=3600)
    candidates = [candidate for island in found["islands"] for candidate in island["candidates"]]
    assert all(candidate["status"] == "evaluated" for candidate in candidates)
    assert max(candidate["fitness"] for candidate in candidates) > 0.3  # neither the base nor an expert gets beyond 0.02
    assert json.loads((tmp_path / "run/best/result.json").read_text())["test"]["fitness"] > 0.3
