"""jobs/evollm-jp, every file of it, on tiny models of its architecture and on made-up problems."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tokenizers import AddedToken
from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

SOURCE = Path(__file__).resolve().parents[2]
# The tiny tokenizer and the runner are those of tests/app (tests import `conftest`, so there can be only one).
_spec = importlib.util.spec_from_file_location("tiny_evolutions", SOURCE / "tests/app/conftest.py")
app = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(app)


def make_mistral(folder, seed, base=None, tokens=256):
    app.make_model(folder, seed)  # for its tokenizer
    torch.manual_seed(seed)
    model = MistralForCausalLM(MistralConfig(vocab_size=256, hidden_size=48, intermediate_size=96, num_hidden_layers=4, num_attention_heads=6,
                                             num_key_value_heads=2, max_position_embeddings=4096, initializer_range=0.2, bos_token_id=0,
                                             eos_token_id=0))
    if base is not None:
        with torch.no_grad():
            for mine, theirs in zip(model.parameters(), base.parameters()):
                mine.copy_(theirs + 0.3 * mine)
    if tokens > 256:  # as fine-tunes do it
        model.resize_token_embeddings(tokens)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.add_special_tokens({"pad_token": AddedToken("[PAD]", special=True)})
        tokenizer.save_pretrained(folder)
    model.to(torch.bfloat16).save_pretrained(folder)
    return model


def write_problems(path, first, count):
    problems = [{"question": f"りんごが{first + i}個と{i + 2}個あります。全部で何個ですか?", "answer_number": first + 2 * i + 2, "answer": "-"} for i in range(count)]
    path.write_text("".join(json.dumps(problem) + "\n" for problem in problems))


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs") / "evollm-jp"
    shutil.copytree(SOURCE / "jobs/evollm-jp", folder, ignore=shutil.ignore_patterns("models", "items"))
    base = make_mistral(folder / "models/mistral", 1)
    for seed, (name, tokens) in enumerate({"shisa": 256, "wizardmath": 257, "abel": 256}.items(), start=2):
        make_mistral(folder / f"models/{name}", seed, base, tokens)
    write_problems(folder / "train.jsonl", 0, 40)
    write_problems(folder / "test.jsonl", 100, 8)
    with open(folder / "test.jsonl", "a") as test:  # one that is in both
        test.write((folder / "train.jsonl").read_text().splitlines(keepends=True)[0])
    done = subprocess.run([sys.executable, folder / "fetch_items.py", "--train", folder / "train.jsonl", "--test", folder / "test.jsonl"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    task = folder / "mgsm-ja.yaml"
    task.write_text(task.read_text().replace("max_new_tokens: 1024", "max_new_tokens: 6"))
    return folder


def test_items_are_split_and_none_is_in_two_places(job):
    splits = {name: [json.loads(line) for line in (job / f"items/{name}.jsonl").read_text().splitlines()] for name in ("train", "validation", "test")}
    questions = [item["question"] for items in splits.values() for item in items]
    assert len(questions) == len(set(questions)) == 48
    assert len(splits["test"]) == 9 and 2 <= len(splits["validation"]) <= 16
    assert splits["train"][0].keys() == {"question", "answer_number"}


def test_items_without_the_fields_are_refused(job, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"question": "?"}\n')
    done = subprocess.run([sys.executable, job / "fetch_items.py", "--train", tmp_path / "bad.jsonl", "--test", job / "test.jsonl", "--out", tmp_path],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "'answer_number'" in done.stderr


def test_the_searches_are_the_papers(job):
    out, _ = app.run_alone("plan", job / "evolve.yaml", "--seconds-per-candidate", "20", "--nodes", "4", "--ranks-per-node", "4", "--gpu-memory", "80G")
    assert "6 genes" in out and "population 9" in out, out
    path = yaml.safe_load((job / "paths.yaml").read_text())["search"]
    layers = 64
    assert path["path"]["repeats"] * layers == 192 and path["path"]["scales"] == "pairs" and path["optimizer"]["population"] == 128


def test_weights_are_evolved_exported_and_then_paths(job, tmp_path):
    small = ["--set", "islands.count=1", "--set", "evaluation.max_batch=8", "--set", "evaluation.batch_tokens=2048"]
    out, err = app.run(2, "evolve", job / "evolve.yaml", "--run-dir", tmp_path / "weights", *small, "--set", "budget.evaluations=18")
    assert "6 genes, cma_es with population 9" in out
    assert err.count("the last 1 of its 257 tokens") == 1
    found = [c for island in app.history(tmp_path / "weights")["islands"] for c in island["candidates"]]
    assert len(found) >= 18 and all(c["status"] == "evaluated" for c in found)
    app.run_alone("export", tmp_path / "weights", job / "models/evolved")
    out, _ = app.run(2, "evolve", job / "paths.yaml", "--run-dir", tmp_path / "paths", *small, "--set", "budget.generations=1",
                     "--set", "search.optimizer.population=6")
    assert f"{3 * 8 + 8 * 8} genes" in out
