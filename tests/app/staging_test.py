"""Models that are copied to node-local storage give the same run."""

import os
import subprocess

from conftest import ENVIRONMENT, PROGRAM, history, run, run_alone


def copies(storage):
    return sorted((path, path.stat().st_mtime_ns) for path in storage.rglob("*.safetensors"))


def test_staged_models_give_the_same_history(write_config, tmp_path):
    config, storage = write_config(islands=2, generations=2), tmp_path / "local"
    run(2, "evolve", config, "--run-dir", tmp_path / "direct")
    printed, _ = run(2, "evolve", config, "--run-dir", tmp_path / "run", "--stage", storage)
    assert printed.count("3 of 3 models staged in") == 1
    assert len(copies(storage)) == 3
    assert history(tmp_path / "run") == history(tmp_path / "direct")
    # The recipe names the models themselves, and a second run finds the copies.
    assert str(storage) not in (tmp_path / "run/best/recipe.yaml").read_text()
    before = copies(storage)
    run(2, "evolve", config, "--run-dir", tmp_path / "again", "--stage", storage)
    assert copies(storage) == before
    run_alone("verify", tmp_path / "run")


def test_storage_without_room_costs_a_warning(write_config, tmp_path):
    storage = tmp_path / "file"
    storage.write_text("no folder")
    config = write_config(generations=2)
    _, warning = run(2, "evolve", config, "--run-dir", tmp_path / "run", "--stage", storage)
    assert warning.count("the model is read where it lies") == 3 and os.uname().nodename in warning
    assert len(history(tmp_path / "run")["islands"][0]["candidates"]) == 12


def test_a_rank_that_was_not_told_reads_the_originals(write_config, tmp_path):
    """A launcher need not pass the environment on to every rank."""
    config, storage = write_config(islands=2, generations=1), tmp_path / "local"
    evolve = [str(word) for word in (PROGRAM, "evolve", config, "--run-dir", tmp_path / "run")]
    told = ["-n", "1", "env", f"GALAPAGOS_STAGE={storage}", *evolve]
    done = subprocess.run(["mpirun", "--oversubscribe", "--bind-to", "none", *told, ":", "-n", "1", *evolve], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 models staged in" in done.stdout and len(copies(storage)) == 3
