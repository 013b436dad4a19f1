"""What candidates are computed on: `evaluation.device` and `evaluate --device`, on a machine without a GPU. tests/gpu has whole runs on one."""

import json
import subprocess

import h5py
import pytest
from conftest import ENVIRONMENT, PROGRAM, command, history, run, run_alone

NO_GPU = ("cudaErrorInsufficientDriver", "cudaErrorNoDevice", "shows no GPU", "has no CUDA")


@pytest.fixture(autouse=True)
def no_gpu():
    if json.loads(run_alone("doctor", "--json")[0])["device_auto"]["device"] == "gpu":
        pytest.skip("this machine has a GPU")


def device_line(out):
    (line,) = [line for line in out.splitlines() if line.startswith("computing on")]
    return line


def device_of_run(run_dir):
    (line,) = [line for line in (run_dir / "run.yaml").read_text().splitlines() if line.strip().startswith("device:")]
    return line.split()[1]


def test_the_cpu_is_the_default_and_nobody_looks_for_a_gpu(write_config, tmp_path):
    out, _ = run(2, "evolve", write_config(generations=1), "--run-dir", tmp_path / "run")
    assert device_line(out) == "computing on the CPU"
    assert device_of_run(tmp_path / "run") == "cpu"
    with h5py.File(tmp_path / "run/run.h5") as index:
        assert index.attrs["device"] == index["attempts/001"].attrs["device"] == b"cpu"


def test_auto_falls_back_to_the_cpu_and_says_why_once(write_config, tmp_path):
    config = write_config(generations=2)
    out, err = run(2, "evolve", config, "--run-dir", tmp_path / "auto", "--set", "evaluation.device=auto")
    line = device_line(out)
    assert line.startswith("computing on the CPU (no rank sees a GPU: ") and any(why in line for why in NO_GPU)
    assert err.count("GPU") == 0
    # The run is one on the CPU.
    assert device_of_run(tmp_path / "auto") == "cpu"
    run(2, "evolve", config, "--run-dir", tmp_path / "cpu")
    assert history(tmp_path / "auto") == history(tmp_path / "cpu")


@pytest.mark.parametrize("ranks", [1, 2])
def test_gpu_is_refused_once_where_there_is_none(write_config, tmp_path, ranks):
    _, err = run(ranks, "evolve", write_config(), "--run-dir", tmp_path / "run", "--set", "evaluation.device=gpu", status=2)
    assert "the device gpu can't be had (no rank sees a GPU: " in err and any(why in err for why in NO_GPU)
    assert "or the device cpu" in err
    assert err.count("galapagos: ") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_with_other_kernels_is_warned(write_config, tmp_path, monkeypatch):
    def evolve(generations):
        return run(2, "evolve", write_config(generations=generations), "--run-dir", tmp_path / "run")[1]
    monkeypatch.setitem(ENVIRONMENT, "GALAPAGOS_INSTRUCTIONS", "portable")
    evolve(1)
    assert "warning" not in evolve(2)
    monkeypatch.delitem(ENVIRONMENT, "GALAPAGOS_INSTRUCTIONS")
    err = evolve(3)
    assert err.count("warning") == 1 and "(portable), and goes on on " in err
    with h5py.File(tmp_path / "run/run.h5") as index:
        assert b"(portable)" in index["attempts/002"].attrs["processors"]
        assert b"(portable)" not in index["attempts/003"].attrs["processors"]


def test_kernels_of_several_kinds_in_one_job_are_warned_of(write_config, tmp_path):
    job = command(1, "evolve", write_config(generations=1), "--run-dir", tmp_path / "run")
    program = job[job.index(str(PROGRAM)):]
    other = [":", "-n", "1", "-x", "GALAPAGOS_INSTRUCTIONS=portable", *program]
    done = subprocess.run(job + other, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning") == 1 and "several kinds of processors" in done.stderr


def test_evaluate_has_the_same_choice(tiny):
    def evaluate(*options, ranks=2, status=0):
        return run(ranks, "evaluate", tiny / "a", tiny / "task.yaml", "--limit", 2, *options, status=status)
    assert device_line(evaluate()[0]) == "computing on the CPU"
    assert "no rank sees a GPU: " in device_line(evaluate("--device", "auto")[0])
    assert json.loads(evaluate("--device", "auto", "--json")[0])["device"] == "cpu"
    _, err = evaluate("--device", "gpu", "--share-gpus", status=2)
    assert "the device gpu can't be had" in err and err.count("galapagos: ") == 1
    _, err = evaluate("--device", "tpu", ranks=1, status=2)
    assert "--device" in err and "auto" in err


@pytest.mark.parametrize("setting, message", [("device=cuda", "known: cpu, gpu, auto"), ("share_gpus=many", "share_gpus")])
def test_wrong_values_are_refused(write_config, tmp_path, setting, message):
    _, err = run(2, "evolve", write_config(), "--run-dir", tmp_path / "run", "--set", f"evaluation.{setting}", status=2)
    assert message in err and err.count("galapagos: ") == 1


@pytest.mark.parametrize("asked", ["cpu", "auto"])
def test_a_run_keeps_its_device(write_config, tmp_path, asked):
    """Scores of a GPU are not the CPU's to the last bit: a run that began on one does not go on on the other."""
    run_dir = tmp_path / "run"
    run(1, "evolve", write_config(generations=2), "--run-dir", run_dir)
    before = history(run_dir)
    resolved = (run_dir / "run.yaml").read_text()
    (run_dir / "run.yaml").write_text(resolved.replace("device: cpu", "device: gpu"))
    longer = ["--set", "budget.generations=3", "--set", f"evaluation.device={asked}"]
    _, err = run(1, "evolve", write_config(generations=2), "--run-dir", run_dir, *longer, status=2)
    assert "evaluation.device: was gpu, now cpu" in err
    assert history(run_dir) == before
    # Whether ranks may share GPUs changes no score.
    (run_dir / "run.yaml").write_text(resolved)
    run(1, "evolve", write_config(generations=2), "--run-dir", run_dir, *longer, "--set", "evaluation.share_gpus=true")
    assert len(history(run_dir)["islands"][0]["generations"]) == 3


def test_doctor_says_what_auto_would_choose():
    out, _ = run(2, "doctor")
    (line,) = [line for line in out.splitlines() if "device auto" in line]
    assert "would take the CPU: no rank sees a GPU: " in line and any(why in line for why in NO_GPU)


def test_help_says_that_no_gpu_has_run_this():
    for command in ("evolve", "evaluate"):
        text = " ".join(run_alone(command, "--help")[0].split())
        assert "No GPU has run this yet: try a machine with tests/gpu/run.sh first" in text
