"""Hostile files, met by the real program: refused with the reason, within a second, without the memory they ask for."""

import json
import os
import resource
import shutil
import struct
import subprocess

import pytest
from conftest import ENVIRONMENT, PROGRAM
from safetensors.torch import load_file, save_file

SECONDS = 1  # of processor time, which a busy machine does not stretch, beyond what `--version` takes
MEMORY = 200 << 10  # kilobytes, beyond what `--version` takes
ADDRESS_SPACE = 4 << 30  # libtorch alone maps more than one

RECIPE = "models: [{model: %s}, {model: %s}]\nmerge_method: linear\nparameters: {weight: 0.5}\n"


def measured(*arguments):
    """Exit status, stderr, seconds of processor time and kilobytes of the program."""
    started = subprocess.Popen([PROGRAM, *map(str, arguments)], env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE)))
    error = started.stderr.read()
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    return started.returncode, error, used.ru_utime + used.ru_stime, used.ru_maxrss


@pytest.fixture(scope="module")
def refused():
    """What the program says when it ends by itself within the limits."""
    _, _, own_seconds, own_memory = measured("--version")

    def run(*arguments, status=(1, 2)):
        returned, error, seconds, memory = measured(*arguments)
        assert returned in status, f"status {returned}\n{error}"
        assert error.count("galapagos: ") == 1
        assert seconds - own_seconds < SECONDS
        assert memory - own_memory < MEMORY
        return error
    return run


@pytest.fixture
def merge(tiny, refused, tmp_path):
    """Merges the tiny models a and `other`; expects a refusal and no output."""
    def run(other):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(RECIPE % (tiny / "a", other))
        error = refused("merge", recipe, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return error
    return run


@pytest.fixture
def model(tiny, tmp_path):
    return shutil.copytree(tiny / "a", tmp_path / "model")


@pytest.mark.parametrize("name, content, message", [
    ("header", struct.pack("<Q", 1 << 42) + b"{}", "the header claims 4398046511104 bytes"),
    ("data", None, "data_offsets"),
    ("tensors", None, "more than 100000 tensors"),
])
def test_a_safetensors_file_that_claims_too_much(model, merge, name, content, message):
    if name == "data":
        header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
        content = struct.pack("<Q", len(header)) + header
    if name == "tensors":
        one = '"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
        header = ("{" + ",".join(one % i for i in range(1_000_000)) + "}").encode()
        content = struct.pack("<Q", len(header)) + header
    (model / "model.safetensors").write_bytes(content)
    error = merge(model)
    assert message in error and str(model / "model.safetensors") in error


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))


@pytest.mark.parametrize("text, message", [
    ("{a: " * 100 + "1" + "}" * 100, "nested deeper than 64 levels"),
    ("".join(" " * i + "a:\n" for i in range(100)), "nested deeper than 64 levels"),
    (BOMB, "aliases followed"),
    ("galapagos: 1\n---\ngalapagos: 1\n", "more than one YAML document"),
])
@pytest.mark.parametrize("subcommand", ["merge", "evolve"])
def test_hostile_yaml(refused, tmp_path, subcommand, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    error = refused(subcommand, path, *([tmp_path / "out"] if subcommand == "merge" else []), status=(2,))
    assert message in error and str(path) in error


@pytest.mark.parametrize("key", ["num_attention_heads", "num_key_value_heads", "hidden_size", "vocab_size"])
@pytest.mark.parametrize("subcommand", ["evaluate", "evolve"])
def test_a_config_with_a_zero(refused, tiny, write_config, model, tmp_path, subcommand, key):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, key: 0}))
    if subcommand == "evaluate":
        error = refused("evaluate", model, tiny / "task.yaml")
    else:
        models = f"models={{base: {model}, sources: [{model}]}}"
        error = refused("evolve", write_config(), "--run-dir", tmp_path / "run", "--set", models)
    assert key in error and str(model) in error


def damage(model, value):
    weights = load_file(model / "model.safetensors")
    weights["model.layers.2.mlp.up_proj.weight"][3, 4] = value
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers(refused, tiny, write_config, model, merge, tmp_path, value):
    damage(model, value)
    recipe = tmp_path / "evaluated.yaml"
    recipe.write_text(RECIPE % (tiny / "a", model))
    errors = [
        merge(model),
        refused("evaluate", model, tiny / "task.yaml"),
        refused("evaluate", recipe, tiny / "task.yaml"),
        refused("evolve", write_config(), "--run-dir", tmp_path / "run", "--set", f"models.sources=[{model}]"),
    ]
    for error in errors:
        assert "tensor 'model.layers.2.mlp.up_proj.weight' holds NaN or infinity, first at [3, 4]" in error
        assert str(model) in error
    assert not (tmp_path / "run").exists()
