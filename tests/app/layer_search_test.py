"""Searches for layer paths (`search.space: dfs`) with the real program: the same history on any number of ranks and after a stop, scores
that `evaluate` finds again, an exported folder that computes the path, and settings that contradict each other."""

import copy
import json
import shutil

import pytest
import yaml
from conftest import history, run, run_alone
from transformers import AutoConfig, AutoModelForCausalLM

CONFIG = """
galapagos: 1
name: layers
seed: 5
models: {{sources: [{models}/a, {models}/b]}}
search:
  space: dfs
  path: {{repeats: 2{path}}}
  optimizer: {{name: {optimizer}, population: 6}}
tasks: [{models}/task.yaml]
evaluation: {{dtype: fp32, max_batch: 8}}
islands: {{count: 1}}
budget: {{generations: {generations}}}
"""


@pytest.fixture
def write_path_config(tiny, tmp_path):
    def write(path="", optimizer="ga", generations=4):
        config = tmp_path / "evolve.yaml"
        config.write_text(CONFIG.format(models=tiny, path=path, optimizer=optimizer, generations=generations))
        return config
    return write


def evaluated(run_dir):
    return [c for c in history(run_dir)["islands"][0]["candidates"] if c["status"] == "evaluated"]


def test_the_history_is_the_same_on_any_number_of_evaluators_and_after_a_stop(write_path_config, tmp_path):
    config = write_path_config()
    for ranks in (1, 3):
        run(ranks, "evolve", config, "--run-dir", tmp_path / f"r{ranks}")
    expected = history(tmp_path / "r1")
    assert len(expected["islands"][0]["candidates"]) == 24
    assert len({tuple(c["genome"]) for c in expected["islands"][0]["candidates"]}) > 12
    assert history(tmp_path / "r3") == expected
    run(1, "evolve", config, "--run-dir", tmp_path / "parts", "--set", "budget.generations=2")
    run(2, "evolve", config, "--run-dir", tmp_path / "parts")
    assert history(tmp_path / "parts")["islands"] == expected["islands"]


@pytest.mark.parametrize("path, optimizer", [("", "ga"), (", scales: pairs", "random"), (", indicators: real, block: 2", "cma_es")])
def test_the_best_path_is_evaluated_and_exported(tiny, write_path_config, tmp_path, path, optimizer):
    run(2, "evolve", write_path_config(path, optimizer), "--run-dir", tmp_path / "run")
    candidates = evaluated(tmp_path / "run")
    assert len({c["fitness"] for c in candidates}) > 4
    genes = len(candidates[0]["genome"])
    assert (f"and {genes - 40} more" in run_alone("history", tmp_path / "run")[0]) == (genes > 40)
    best = max(candidates, key=lambda c: c["fitness"])
    assert best["fitness"] >= candidates[0]["fitness"], "the first candidate is the first source"
    recipe = tmp_path / "run/best/recipe.yaml"
    assert "layer_path" in recipe.read_text()

    def score(model, split, *options):
        arguments = ("evaluate", model, tiny / "task.yaml", "--split", split, "--dtype", "fp32", "--max-batch", 8, "--json")
        return json.loads(run_alone(*arguments, *options)[0])["results"][0]["score"]

    result = json.loads((tmp_path / "run/best/result.json").read_text())
    assert score(recipe, "test") == pytest.approx(result["test"]["fitness"], abs=1e-9)
    run_alone("export", tmp_path / "run", tmp_path / "out")
    assert score(tmp_path / "out", "test") == pytest.approx(result["test"]["fitness"], abs=1e-4)
    assert "mergekit" not in (tmp_path / "out/README.md").read_text()
    hops = yaml.safe_load(recipe.read_text())["layer_path"]["hops"]
    ranges = [hop.get("layer_range", [0, 1]) for hop in hops]
    assert AutoConfig.from_pretrained(tmp_path / "out").num_hidden_layers == sum(end - begin for begin, end in ranges)


def test_the_first_candidate_is_the_first_source(tiny, write_path_config, tmp_path):
    run(1, "evolve", write_path_config(generations=1), "--run-dir", tmp_path / "run")
    scores = json.loads(run_alone("evaluate", tiny / "a", tiny / "task.yaml", "--split", "train", "--dtype", "fp32", "--max-batch", 8,
                                  "--json")[0])
    assert evaluated(tmp_path / "run")[0]["fitness"] == pytest.approx(scores["results"][0]["score"], abs=1e-9)


def test_paths_that_are_too_long_fail_alone(write_path_config, tmp_path):
    run(1, "evolve", write_path_config(", max_hops: 4", "random", 6), "--run-dir", tmp_path / "run")
    candidates = history(tmp_path / "run")["islands"][0]["candidates"]
    failed = [c for c in candidates if c["status"] == "failed"]
    assert 0 < len(failed) < len(candidates)
    assert all("search.path.max_hops is 4" in c["reason"] for c in failed), failed


def test_sources_may_differ_in_depth_and_vocabulary(tiny, write_path_config, tmp_path):
    """Only layers are taken from a source that gives no embeddings."""
    deeper = AutoModelForCausalLM.from_pretrained(tiny / "b")
    deeper.resize_token_embeddings(260)
    deeper.model.layers.append(copy.deepcopy(deeper.model.layers[1]))
    deeper.config.num_hidden_layers = 5
    deeper.save_pretrained(tmp_path / "deeper")
    larger = AutoModelForCausalLM.from_pretrained(tiny / "b")
    larger.resize_token_embeddings(260)
    larger.save_pretrained(tmp_path / "larger")
    for name, layers in (("deeper", 5), ("larger", 4)):
        shutil.copy(tiny / "b/tokenizer.json", tmp_path / name)
        config = write_path_config(generations=2)
        config.write_text(config.read_text().replace(f"{tiny}/b", f"{tmp_path}/{name}"))
        run(1, "evolve", config, "--run-dir", tmp_path / f"run-{name}")
        assert len(evaluated(tmp_path / f"run-{name}")[0]["genome"]) == 2 * 2 * (4 + layers)
        run_alone("export", tmp_path / f"run-{name}", tmp_path / f"out-{name}")
        assert AutoConfig.from_pretrained(tmp_path / f"out-{name}").vocab_size == 256


@pytest.mark.parametrize("settings, message", [
    (["search.optimizer.name=cma_es"], "search.path.indicators: real"),
    (["merge.method=ties"], "merge is about mixing weights"),
    (["search.space=ps"], "search.path is about layer paths"),
    (["search.path.max_hops=3"], "starts at the 4 layers of a"),
    (["search.path.repeat=3"], "did you mean"),
    (["search.path.scale.lower=2"], "lower bound"),
])
def test_contradictions_are_refused_once(write_path_config, tmp_path, settings, message):
    options = [argument for setting in settings for argument in ("--set", setting)]
    _, err = run(2, "evolve", write_path_config(), "--run-dir", tmp_path / "run", *options, status=2)
    assert err.count(message) == 1, err
    assert not (tmp_path / "run").exists()


def test_a_plan_counts_all_layers_once_and_a_cache_a_hop(write_path_config):
    def widths(**settings):
        options = [argument for key, value in settings.items() for argument in ("--set", f"search.path.{key}={value}")]
        report = json.loads(run_alone("plan", write_path_config(), "--json", "--seconds-per-candidate", 1, *options)[0])
        return report, report["memory"]["widths"][0]

    report, usual = widths()
    assert report["genome"]["genes"] == 2 * 2 * 8
    assert report["layer_paths"] == {"layers": 8, "hops_at_the_start": 4, "max_hops": 8}
    text = run_alone("plan", write_path_config(), "--seconds-per-candidate", 1)[0]
    assert "paths through 8 layers, of up to 8 hops" in text
    _, wide = widths(max_hops=16)
    assert wide["kv_cache"] == 2 * usual["kv_cache"] and wide["arena"] == usual["arena"]
