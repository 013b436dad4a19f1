"""A GPU that fails in the middle of a run: the job ends with "resume me", blames no candidate, and goes on on one that works."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
# The tiny models and the reader of histories are those of tests/app (tests import `conftest`, so there can be only one).
_spec = importlib.util.spec_from_file_location("tiny_evolutions", SOURCE / "tests/app/conftest.py")
app = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(app)
PROGRAM = app.BINARY / "tests/emulator/program/src/app/galapagos"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="a build without CUDA has no emulated device")

# Rank 0 works on a device that is never lost, the last rank on one that is.
LOSE_LAST = ('if [ "$OMPI_COMM_WORLD_RANK" = $((OMPI_COMM_WORLD_SIZE - 1)) ]; then export GALAPAGOS_EMULATED_DEVICE_IS_LOST_AFTER=$LOST_AFTER; fi; '
             'exec "$0" "$@"')


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lost")
    path = folder / "evolve.yaml"
    path.write_text(app.CONFIG.format(models=app.make_tiny(folder), islands=1, generations=3, method="ties", optimizer="ga"))
    return path


def evolve(ranks, config, run_dir, lost_after=None, width=1):
    program = ["bash", "-c", LOSE_LAST, PROGRAM] if lost_after is not None else [PROGRAM]
    arguments = ["evolve", config, "--run-dir", run_dir, "--set", "evaluation.device=gpu", "--set", "evaluation.share_gpus=true",
                 "--set", f"evaluation.tensor_parallel={width}"]
    return subprocess.run(["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", *map(str, program + arguments)],
                          env=dict(app.ENVIRONMENT, LOST_AFTER=str(lost_after), NCCL_NVLS_ENABLE="0"), capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def undisturbed(config):
    """The history by tensor-parallel width; the number of evaluators changes nothing."""
    histories = {}

    def history(width):
        if width not in histories:
            run_dir = config.parent / f"undisturbed-{width}"
            done = evolve(width, config, run_dir, width=width)
            assert done.returncode == 0, done.stderr
            histories[width] = app.history(run_dir)
        return histories[width]
    return history


@pytest.mark.parametrize("ranks, width, lost_after", [(1, 1, 100), (2, 1, 100), (2, 2, 1000)])
def test_a_lost_gpu_ends_the_job_which_can_be_resumed(config, undisturbed, tmp_path, ranks, width, lost_after):
    lost = evolve(ranks, config, tmp_path / "run", lost_after=lost_after, width=width)
    assert lost.returncode == 75, f"status {lost.returncode}\n{lost.stdout}\n{lost.stderr}"
    assert "asked to be lost" in lost.stderr and lost.stderr.count("galapagos: ") == 1
    resumed = evolve(ranks, config, tmp_path / "run", width=width)
    assert resumed.returncode == 0, resumed.stderr
    assert app.history(tmp_path / "run") == undisturbed(width)
