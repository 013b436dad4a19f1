"""config/convert_pickles.py: folders with PyTorch pickles become folders that galapagos and transformers read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).resolve().parents[2] / "config/convert_pickles.py"


def convert(folder, status=0):
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def make_state():
    torch.manual_seed(1)
    embedding = torch.randn(8, 4, dtype=torch.bfloat16)
    return {"model.embed_tokens.weight": embedding, "model.norm.weight": torch.randn(4), "lm_head.weight": embedding,
            "model.layers.0.mlp.up_proj.weight": torch.randn(4, 6, dtype=torch.float16).T}


def check(found, state):
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


@pytest.mark.parametrize("zipped", [True, False])
def test_one_file(tmp_path, zipped):
    state = make_state()
    torch.save(state, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    assert "4 tensors in 1 files" in convert(tmp_path)
    check(load_file(tmp_path / "model.safetensors"), state)
    assert sorted(os.listdir(tmp_path)) == ["model.safetensors", "pytorch_model.bin"]
    assert "already" in convert(tmp_path, status=1)


def write_shards(folder, state):
    weight_map = {}
    for i, name in enumerate(state):
        shard = f"pytorch_model-0000{i // 2 + 1}-of-00002.bin"
        weight_map[name] = shard
    for shard in set(weight_map.values()):
        torch.save({name: state[name] for name in state if weight_map[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def test_shards(tmp_path):
    state = make_state()
    write_shards(tmp_path, state)
    convert(tmp_path)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 2 * 64 + 16 + 48
    found = {}
    for shard in set(index["weight_map"].values()):
        tensors = load_file(tmp_path / shard)
        assert all(index["weight_map"][name] == shard for name in tensors)
        found |= tensors
    check(found, state)


def test_what_is_missing_or_no_tensor_is_refused_and_nothing_is_left(tmp_path):
    assert "neither" in convert(tmp_path, status=1)
    write_shards(tmp_path, make_state())
    torch.save({"a": Path("x")}, tmp_path / "pytorch_model-00002-of-00002.bin")
    assert "something else than tensors" in convert(tmp_path, status=1)
    (tmp_path / "pytorch_model-00002-of-00002.bin").unlink()
    assert "download it" in convert(tmp_path, status=1)
    assert not list(tmp_path.glob("*.safetensors*"))
