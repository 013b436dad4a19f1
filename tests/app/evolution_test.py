"""Whole evolutions with the real program: layouts, invariance, kill and resume, stop, and what comes out."""

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import time

import pytest
import torch
from conftest import ENVIRONMENT, PROGRAM, SOURCE, command, history, run, run_alone
from transformers import AutoModelForCausalLM, AutoTokenizer


def test_the_history_is_the_same_with_1_2_and_4_evaluators(write_config, tmp_path):
    config = write_config()
    for ranks in (1, 2, 4):
        run(ranks, "evolve", config, "--run-dir", tmp_path / f"r{ranks}")
    expected = history(tmp_path / "r1")
    assert len(expected["islands"][0]["candidates"]) == 24
    assert history(tmp_path / "r2") == expected
    assert history(tmp_path / "r4") == expected


@pytest.mark.parametrize("ranks, islands, width", [(4, 2, 2), (4, 4, 1), (4, 1, 4), (4, 2, 1), (2, 2, 1)])
def test_layouts(write_config, tmp_path, ranks, islands, width):
    config = write_config(islands=islands)
    out, _ = run(ranks, "evolve", config, "--run-dir", tmp_path / "run", "--set", f"evaluation.tensor_parallel={width}")
    assert f"{islands} islands x {ranks // islands // width} evaluators x {width} tensor-parallel ranks" in out
    assert len(history(tmp_path / "run")["islands"]) == islands
    assert "\033" not in out and "generation    4" in out, "a log gets plain lines, one a generation"
    result = json.loads((tmp_path / "run/best/result.json").read_text())
    assert result["validation"]["fitness"] < 0 and result["test"]["fitness"] < 0


def start(config, run_dir, ranks=2):
    return subprocess.Popen(command(ranks, "evolve", config, "--run-dir", run_dir), env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def kill_everything(process):
    """kill -9 of mpirun and all ranks at one instant, as a power cut would."""
    session = process.pid  # it leads a session of its own
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getsid(int(entry)) == session or str(PROGRAM) in open(f"/proc/{entry}/cmdline").read():
                    os.kill(int(entry), signal.SIGKILL)
            except (ProcessLookupError, FileNotFoundError, PermissionError):
                pass
    process.wait()


def kill_and_resume(config, tmp_path, kills):
    run(2, "evolve", config, "--run-dir", tmp_path / "undisturbed", timeout=3000)
    expected = history(tmp_path / "undisturbed")
    chance = random.Random(1)
    killed, runs = 0, 0
    while killed < kills:
        process = start(config, tmp_path / f"killed{runs}")
        time.sleep(chance.uniform(0.4, 1.4))
        if process.poll() is None:
            killed += 1
            kill_everything(process)
        else:  # a quick machine gets to the end between two kills: begin again
            assert history(tmp_path / f"killed{runs}") == expected
            runs += 1
    run(2, "evolve", config, "--run-dir", tmp_path / f"killed{runs}", timeout=3000)
    assert history(tmp_path / f"killed{runs}") == expected


def test_killed_20_times_the_history_equals_the_undisturbed_runs(write_config, tmp_path):
    kill_and_resume(write_config(islands=2, generations=300, optimizer="cma_es", method="ties"), tmp_path, 20)


@pytest.mark.slow
def test_killed_200_times_the_history_equals_the_undisturbed_runs(write_config, tmp_path):
    kill_and_resume(write_config(islands=2, generations=3000), tmp_path, 200)


def test_killed_between_the_index_and_the_first_part(write_config, tmp_path):
    """Such an attempt is known to run.h5 alone, and the next one takes its number."""
    config = write_config(generations=2)
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "later")
    longer = ["--set", "budget.generations=4"]
    run(1, "evolve", config, "--run-dir", tmp_path / "later", *longer)
    shutil.copy(tmp_path / "later/run.h5", tmp_path / "run/run.h5")
    run(1, "evolve", config, "--run-dir", tmp_path / "run", *longer)
    run_alone("verify", tmp_path / "run")
    assert history(tmp_path / "run") == history(tmp_path / "later")


@pytest.mark.parametrize("how", ["SIGUSR1", "stop file"])
def test_a_stop_request_ends_with_status_75_and_can_be_resumed(write_config, tmp_path, how):
    config = write_config(islands=2, generations=150)
    run(2, "evolve", config, "--run-dir", tmp_path / "undisturbed")
    process = start(config, tmp_path / "stopped")
    deadline = time.time() + 60
    while not list(tmp_path.glob("stopped/islands/*")):
        assert time.time() < deadline
        time.sleep(0.1)
    if how == "SIGUSR1":
        os.kill(process.pid, signal.SIGUSR1)
    else:
        (tmp_path / "stopped/stop").touch()
    assert process.wait(timeout=60) in (75, 0)
    run(2, "evolve", config, "--run-dir", tmp_path / "stopped")
    assert history(tmp_path / "stopped") == history(tmp_path / "undisturbed")


def test_the_exported_model_is_the_candidate(write_config, tmp_path, tiny):
    run(2, "evolve", write_config(islands=2), "--run-dir", tmp_path / "run")
    run_alone("export", tmp_path / "run", tmp_path / "model")
    result = json.loads((tmp_path / "run/best/result.json").read_text())
    report = json.loads(run_alone("evaluate", tmp_path / "model", tiny / "task.yaml", "--split", "train,test", "--dtype", "fp32",
                                  "--max-batch", 8, "--json")[0])
    scores = {entry["split"]: entry["score"] for entry in report["results"]}
    assert scores["train"] == result["train"]["fitness"]
    assert scores["test"] == result["test"]["fitness"]
    # The recipe that the run wrote makes the same model.
    recipe = json.loads(run_alone("evaluate", tmp_path / "run/best/recipe.yaml", tiny / "task.yaml", "--split", "test", "--dtype", "fp32",
                                  "--max-batch", 8, "--json")[0])
    assert recipe["results"][0]["score"] == scores["test"]

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    total = 0
    for line in (tiny / "test.jsonl").read_text().splitlines():
        item = json.loads(line)
        context, continuation = tokenizer.encode(item["context"]), tokenizer.encode(item["continuation"])
        with torch.no_grad():
            logs = model(torch.tensor([context + continuation])).logits[0].log_softmax(-1)
        total += sum(logs[len(context) - 1 + i, token].item() for i, token in enumerate(continuation)) / len(continuation)
    assert total / 10 == pytest.approx(scores["test"], abs=1e-4)
    card = (tmp_path / "model/README.md").read_text()
    assert "## Parents" in card and "merge_method" in card and "galapagos export" in card.replace(str(PROGRAM), "galapagos")


def test_a_source_with_a_few_tokens_more_is_merged_without_them(write_config, tmp_path, tiny):
    """Fine-tunes often add a padding token."""
    models = shutil.copytree(tiny, tmp_path / "models")
    larger = AutoModelForCausalLM.from_pretrained(models / "b")
    larger.resize_token_embeddings(257)
    larger.save_pretrained(models / "b")
    tokenizer = json.loads((models / "b/tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": 256, "content": "[PAD]", "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": True})
    (models / "b/tokenizer.json").write_text(json.dumps(tokenizer))
    config = write_config(generations=2)
    run(1, "evolve", config, "--run-dir", tmp_path / "same")
    config.write_text(config.read_text().replace(str(tiny), str(models)))
    assert "1 of its 257 tokens" not in run_alone("plan", config)[1]
    _, err = run(2, "evolve", config, "--run-dir", tmp_path / "run")
    assert err.count(f"{models}/b: the last 1 of its 257 tokens are left out") == 1
    assert history(tmp_path / "run") == history(tmp_path / "same")
    run_alone("export", tmp_path / "run", tmp_path / "model")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "model").get_input_embeddings().weight.shape[0] == 256
    _, err = run_alone("merge", tmp_path / "run/best/recipe.yaml", tmp_path / "merged")
    assert err.count("the last 1 of its 257 tokens") == 1
    assert (tmp_path / "merged/model.safetensors").read_bytes() == (tmp_path / "model/model.safetensors").read_bytes()

    # Another order of tokens is no such case, nor is one that nobody can look up.
    tokenizer["model"]["vocab"] = {token: (number + 1) % 256 for token, number in tokenizer["model"]["vocab"].items()}
    (models / "b/tokenizer.json").write_text(json.dumps(tokenizer))
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "other", status=1)
    assert "tokenizer.json: token" in err and "tokenizer_source" in err
    (models / "b/tokenizer.json").unlink()
    _, err = run(1, "evolve", config, "--run-dir", tmp_path / "other", status=1)
    assert "has 1 tokens more" in err


def test_without_validation_items_no_validation_score_is_claimed(write_config, tiny, tmp_path):
    models = shutil.copytree(tiny, tmp_path / "models")
    task = models / "task.yaml"
    task.write_text(task.read_text().replace(", validation: validation.jsonl, test: test.jsonl", ""))
    config = write_config(islands=2, generations=2)
    config.write_text(config.read_text().replace(str(tiny), str(models)))
    out, _ = run(2, "evolve", config, "--run-dir", tmp_path / "run")
    assert "chosen on train" in out and "validation -   test -" in out
    result = json.loads((tmp_path / "run/best/result.json").read_text())
    assert result["validation"] is None and result["test"] is None
    best = max(candidate["fitness"] for island in history(tmp_path / "run")["islands"] for candidate in island["candidates"])
    assert result["train"]["fitness"] == best
    run_alone("export", tmp_path / "run", tmp_path / "model")
    card = (tmp_path / "model/README.md").read_text()
    assert "| train |" in card and "| validation |" not in card


def test_other_candidates_can_be_exported_too(write_config, tiny, tmp_path):
    config = write_config(generations=2)
    config.write_text(config.read_text().replace(f"{tiny}/a,", f"{{name: a|b, model: {tiny}/a}},"))
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    model = tmp_path / "it's a model"
    run_alone("export", tmp_path / "run", model, "--candidate", "0:3")
    assert (model / "model.safetensors").exists()
    card = (model / "README.md").read_text()
    assert f"\n| a\\|b | `{tiny}/a` |" in card and "mergekit's format" in card
    words = shlex.split(card.split("```sh\n")[1].split("\n```")[0])
    assert words == [str(PROGRAM), "export", str(tmp_path / "run"), str(model), "--candidate", "0:3"]
    _, err = run_alone("export", tmp_path / "run", tmp_path / "other", "--candidate", "0:999", status=2)
    assert "candidate 0:999 not found" in err and not (tmp_path / "other").exists()


def test_the_schema_in_the_repository_is_the_programs():
    assert run_alone("evolve", "--schema")[0] == (SOURCE / "config/galapagos.schema.json").read_text()


def test_every_config_in_the_repository_is_accepted_by_the_schema():
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    schema = json.loads((SOURCE / "config/galapagos.schema.json").read_text())
    configs = list((SOURCE / "jobs").glob("*/evolve.yaml"))
    assert configs
    for config in configs:
        jsonschema.validate(yaml.safe_load(config.read_text()), schema)


def test_a_run_that_has_ended_shows_its_result_again(write_config, tmp_path):
    config = write_config(generations=2)
    first, _ = run(2, "evolve", config, "--run-dir", tmp_path / "run")
    parts = sorted(path.name for path in (tmp_path / "run/islands").iterdir())
    again, _ = run(2, "evolve", config, "--run-dir", tmp_path / "run")
    assert "has ended already" in again
    assert again.split("best candidate")[1] == first.split("best candidate")[1]
    assert sorted(path.name for path in (tmp_path / "run/islands").iterdir()) == parts
