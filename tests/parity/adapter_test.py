"""LoRA sources against PEFT's merge_and_unload, and merges of every architecture, on tiny models: base + adapter through `galapagos merge`."""

import os
import subprocess
from pathlib import Path

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

SOURCE = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("GALAPAGOS_BINARY_DIR", SOURCE / "build/release")) / "src/app/galapagos"

SIZES = dict(vocab_size=67, hidden_size=24, intermediate_size=36, num_hidden_layers=2, num_attention_heads=6,
             num_key_value_heads=3, bos_token_id=0, eos_token_id=1, pad_token_id=2)
GPT2 = dict(vocab_size=67, n_embd=24, n_layer=2, n_head=6, n_positions=32, bos_token_id=0, eos_token_id=1)
LLAMA = ["q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"]
TARGETS = {
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
    "gemma2": LLAMA,
    "gemma3_text": "all-linear",
    "phi3": ["qkv_proj", "gate_up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "gpt_neox": "all-linear",
    "mixtral": ["q_proj", "v_proj", "o_proj"],  # PEFT adapts the experts as bare parameters, which is refused
}


def tiny_model(model_type):
    settings = dict(GPT2 if model_type == "gpt2" else SIZES)
    if model_type == "gpt_neox":
        del settings["num_key_value_heads"]
    if model_type in ("gemma2", "gemma3_text", "qwen3"):
        settings["head_dim"] = 8
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(transformers.CONFIG_MAPPING[model_type](**settings))


@pytest.mark.parametrize("model_type", TARGETS)
def test_merged_adapter(model_type, tmp_path):
    model = tiny_model(model_type)
    model.save_pretrained(tmp_path / "base")
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=TARGETS[model_type], task_type="CAUSAL_LM",
                             fan_in_fan_out=model_type == "gpt2", init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(tmp_path / "adapter")
    adapted.merge_and_unload().save_pretrained(tmp_path / "expected")

    (tmp_path / "recipe.yaml").write_text(
        f"models:\n  - model: {tmp_path}/base+{tmp_path}/adapter\n    parameters: {{weight: 1.0}}\n"
        f"merge_method: linear\ndtype: float32\n")
    environment = dict(os.environ, GALAPAGOS_CACHE=str(tmp_path / "cache"))
    subprocess.run([PROGRAM, "merge", tmp_path / "recipe.yaml", tmp_path / "merged"], check=True, env=environment)
    expected = load_file(tmp_path / "expected/model.safetensors")
    merged = load_file(tmp_path / "merged/model.safetensors")
    base = load_file(tmp_path / "base/model.safetensors")
    assert merged.keys() == expected.keys()
    assert sum(not torch.equal(base[name], expected[name]) for name in base) >= 4
    for name, tensor in expected.items():
        torch.testing.assert_close(merged[name], tensor, rtol=1e-6, atol=1e-6, msg=lambda text: f"{name}: {text}")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "merged").config.model_type == model_type
