"""A process that hangs ends the job with a message, and the run resumes."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, PROGRAM, command, history, run, run_alone


def ranks_of(launcher):
    """World rank -> process of a running job."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "exe") != str(PROGRAM.resolve()):
                continue
            variables = dict(item.split("=", 1) for item in (entry / "environ").read_text().split("\0") if "=" in item)
            if os.getpgid(int(entry.name)) == launcher.pid or os.getsid(int(entry.name)) == launcher.pid:
                found[int(variables["OMPI_COMM_WORLD_RANK"])] = int(entry.name)
        except (OSError, KeyError):
            continue
    return found


@pytest.mark.parametrize("victim", [0, 1])
def test_a_stopped_rank_ends_the_job_and_is_named(write_config, tmp_path, victim):
    config = write_config(islands=2, generations=40)
    run(2, "evolve", config, "--run-dir", tmp_path / "undisturbed")
    job = subprocess.Popen(command(2, "evolve", config, "--run-dir", tmp_path / "run", "--set", "islands.watchdog=3",
                                   "--set", "budget.generations=100000"),
                           env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        deadline = time.time() + 60
        while len(list((tmp_path / "run").glob("checkpoint/*.ckpt"))) < 3:
            assert time.time() < deadline
            time.sleep(0.1)
        os.kill(ranks_of(job)[victim], signal.SIGSTOP)
        _, error = job.communicate(timeout=60)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode > 128 or job.returncode < 0
    assert f"rank {victim} hangs (its process has not run for" in error and error.count(" hangs (") == 1
    run_alone("verify", tmp_path / "run")
    reached = max(len(island["generations"]) for island in history(tmp_path / "run")["islands"]) + 2
    for folder in ("run", "whole"):
        run(2, "evolve", config, "--run-dir", tmp_path / folder, "--set", f"budget.generations={reached}")
    assert history(tmp_path / "run") == history(tmp_path / "whole")
