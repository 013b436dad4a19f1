"""What users get wrong: one message, on stderr, once, and the right exit status."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ENVIRONMENT, command, history, run, run_alone


@pytest.mark.parametrize("extra, message", [
    ("bugdet: {generations: 3}\n", "did you mean 'budget'?"),
    ("islands: {count: 1}\n", "twice"),
])
def test_a_wrong_config_is_refused_once_with_file_and_line(write_config, tmp_path, extra, message):
    _, err = run(2, "evolve", write_config(extra=extra), "--run-dir", tmp_path / "run", status=2)
    assert message in err and "evolve.yaml:" in err
    assert err.count("galapagos: ") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting, message", [
    ("budget.generations=-1", "below 0"),
    ("islands.count=x", "whole number"),
    ("search.optimizer.name=cma", "known: ga, cma_es, random"),
    ("merge.method=tise", "did you mean 'ties'?"),
    ("models.base=/no/such/folder", "/no/such/folder"),
    ("tasks=[/no/such/task.yaml]", "/no/such/task.yaml"),
    ("search.genes={weight: 0.5}", "nothing to search"),
    ("evaluation.tensor_parallel=5", "ranks"),
    ("nonsense", "expected key=value"),
    ("search.optimizer.population=-3", "--set: search.optimizer.population: refused"),
    ("models.sources=[{model: a, nam: b}]", "--set: models.sources[0].nam: refused"),
    ("serch.optimizer.population=3", "--set: serch: refused (unknown key 'serch')"),
])
def test_a_wrong_setting_is_refused(write_config, tmp_path, setting, message):
    _, err = run_any(2, "evolve", write_config(method="task_arithmetic"), "--run-dir", tmp_path / "run", "--set", setting)
    assert message in err
    assert err.count("galapagos: ") == 1


def run_any(ranks, *arguments):
    done = subprocess.run(command(ranks, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode in (1, 2), f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def test_a_run_directory_of_another_config_is_refused(write_config, tmp_path):
    config = write_config()
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    before = history(tmp_path / "run")
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "run", "--set", "seed=4", status=2)
    assert "seed" in err
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "run", "--resume", "never", status=2)
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "nothing", "--resume", "must", status=2)
    assert history(tmp_path / "run") == before


@pytest.mark.parametrize("changed, name", [
    ("b/model.safetensors", "model 'b'"),
    ("base/tokenizer.json", "the tokenizer"),
    ("train.jsonl", "task 'text'"),
    ("task.yaml", "task 'text'"),
])
def test_a_run_does_not_go_on_with_other_models_or_tasks(write_config, tiny, tmp_path, changed, name):
    models = shutil.copytree(tiny, tmp_path / "models")
    config = write_config(generations=2)
    config.write_text(config.read_text().replace(str(tiny), str(models)))
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    before = history(tmp_path / "run")
    path = models / changed
    kept = path.read_bytes()
    if path.suffix == ".safetensors":
        shutil.copy(models / "a/model.safetensors", path)
    else:
        path.write_bytes({".json": kept.replace(b'"add_prefix_space": false', b'"add_prefix_space": true'),
                          ".jsonl": kept.replace(b" 3 or so", b" 4 or so"),
                          ".yaml": kept.replace(b'"{context}"', b'"So: {context}"')}[path.suffix])
    assert path.read_bytes() != kept
    longer = ["evolve", config, "--run-dir", tmp_path / "run", "--set", "budget.generations=3"]
    _, err = run(1, *longer, status=2)
    assert "has changed" in err and name in err and err.count("galapagos: ") == 1
    assert history(tmp_path / "run") == before
    if path.suffix == ".safetensors":
        _, err = run_alone("export", tmp_path / "run", tmp_path / "out", status=2)
        assert name in err and not (tmp_path / "out").exists()
    # What changes nothing is not in the way: another time stamp, a comment.
    path.write_bytes(kept + b"# judged by likelihood\n" if path.suffix == ".yaml" else kept)
    run(1, *longer)
    assert len(history(tmp_path / "run")["islands"][0]["generations"]) == 3


def test_two_runs_on_one_directory_are_refused(write_config, tmp_path):
    config = write_config(generations=400)
    first = subprocess.Popen(command(1, "evolve", config, "--run-dir", tmp_path / "run"), env=ENVIRONMENT,
                             stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.time() + 60
        while not (tmp_path / "run/islands").exists() or not list((tmp_path / "run/islands").iterdir()):
            assert time.time() < deadline
            time.sleep(0.1)
        _, err = run_any(1, "evolve", config, "--run-dir", tmp_path / "run")
        assert str(tmp_path / "run") in err and "in use" in err
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(timeout=60)


def test_a_budget_can_be_extended(write_config, tmp_path):
    config = write_config(generations=2)
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    run(1, "evolve", config, "--run-dir", tmp_path / "run", "--set", "budget.generations=4")
    run(1, "evolve", write_config(generations=4), "--run-dir", tmp_path / "whole")
    assert history(tmp_path / "run") == history(tmp_path / "whole")


def test_prompts_that_are_cut_are_told(write_config, tiny, tmp_path):
    models = shutil.copytree(tiny, tmp_path / "models")
    with open(models / "train.jsonl", "a") as items:
        items.write('{"id": "long", "context": "%s", "continuation": " 1"}\n' % ("word " * 100))
    config = write_config(generations=2)
    config.write_text(config.read_text().replace(f"{tiny}/task.yaml", f"{models}/task.yaml"))
    cut = "galapagos: warning: task text: 1 of 11 train items are longer than the model's context"
    _, err = run(2, "evolve", config, "--run-dir", tmp_path / "run")
    assert err.count(cut) == 1
    _, err = run_alone("evaluate", tiny / "a", models / "task.yaml", "--split", "train,test")
    assert err.count(cut) == 1


def test_a_task_without_items_of_the_asked_splits_is_not_passed_over(tiny, tmp_path):
    models = shutil.copytree(tiny, tmp_path / "models")
    (models / "only.yaml").write_text((tiny / "task.yaml").read_text().replace(", validation: validation.jsonl, test: test.jsonl", ""))
    _, err = run_alone("evaluate", models / "a", models / "task.yaml", models / "only.yaml", status=2)
    assert "it has no validation or test items" in err and "--split train" in err


def test_settings_without_effect_are_told(write_config, tmp_path):
    _, err = run(2, "evolve", write_config(generations=2, method="linear", islands=2), "--run-dir", tmp_path / "run", "--set",
                 "islands.overrides=[{islands: [0, 5], optimizer: {name: random}}]", "--set", "search.optimizer.sigma=0.1",
                 "--set", "search.optimizer.tournament=3", "--set", "migration.elites=1000")
    assert "warning: search.genes.density has no effect" in err and "search.genes.weight" not in err
    assert "names island 5" in err and "names island 0" not in err
    assert "search.optimizer.sigma has no effect" in err and "tournament" not in err
    assert err.count("migration.elites is 1000") == 1


def test_two_tasks_of_one_name_are_refused(write_config, tiny, tmp_path):
    config = write_config()
    config.write_text(config.read_text().replace("/task.yaml]", f"/task.yaml, {tiny}/task.yaml]"))
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "run", status=2)
    assert "two tasks are called text" in err


@pytest.mark.parametrize("text, message", [
    ("genome: {models: []}\ntasks: []\n", "mergekit-evolve"),
    ("merge_method: linear\nmodels: []\n", "galapagos merge"),
    ("models: {sources: [a]}\n", "`galapagos: 1`"),
])
def test_other_files_are_no_config(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    _, err = run_alone("evolve", tmp_path / "config.yaml", status=2)
    assert message in err and "config/README.md" in err


def test_wrong_command_lines(tmp_path):
    assert "evolve" in run_alone("--help")[0]
    run_alone("frobnicate", status=2)
    run_alone("evolve", status=2)
    run_alone("history", tmp_path / "none", status=1)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MiB; `remount(options)` changes it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
    yield folder, remount
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_ends_the_run_and_loses_nothing(write_config, tmp_path, small_disk):
    folder, remount = small_disk
    config = write_config(generations=200)
    run(1, "evolve", config, "--run-dir", tmp_path / "undisturbed")
    (folder / "ballast").write_bytes(b"x" * 1500000)
    _, err = run_any(1, "evolve", config, "--run-dir", folder / "run")
    assert "No space left" in err or "no space" in err.lower()
    (folder / "ballast").unlink()
    remount("size=64m")
    run(1, "evolve", config, "--run-dir", folder / "run")
    assert history(folder / "run") == history(tmp_path / "undisturbed")


def test_a_full_disk_ends_all_ranks_with_one_message(write_config, tmp_path, small_disk):
    folder, _ = small_disk
    config = write_config(islands=3, generations=2000)
    (folder / "ballast").write_bytes(b"x" * 1500000)
    done = subprocess.run(command(3, "evolve", config, "--run-dir", folder / "run"), env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.lower().count("no space") == done.stderr.count("galapagos: ") == 1


def test_a_read_only_place_is_refused(write_config, small_disk):
    folder, remount = small_disk
    remount("ro")
    _, err = run_any(1, "evolve", write_config(), "--run-dir", folder / "run")
    assert "Read-only file system" in err and err.count("galapagos: ") == 1
