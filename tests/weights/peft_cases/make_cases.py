"""Makes the reference cases of adapter_test.cpp with PEFT: tiny base models, adapters, and what merge_and_unload gives.

Run it from this folder with torch, transformers, peft and safetensors installed; it writes the folders beside it.
Every case keeps only the tensors that the adapter changed.
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

HERE = Path(__file__).parent
LLAMA = dict(hidden_size=16, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, vocab_size=11, tie_word_embeddings=False)
GPT2 = dict(n_embd=16, n_head=2, n_layer=1, n_positions=8, vocab_size=11)

# name: (base, adapter dtype, LoraConfig arguments)
CASES = {
    "plain": ("llama_f32", torch.float32, dict(r=3, lora_alpha=5, target_modules=["q_proj", "v_proj"])),
    "rslora": ("llama_f32", torch.float32,
               dict(r=3, lora_alpha=5, use_rslora=True, target_modules=["o_proj", "down_proj"])),
    "regex": ("llama_f32", torch.float32,
              dict(r=2, lora_alpha=4, target_modules=r".*layers\.[02]\..*(up|gate)_proj")),
    "all_linear": ("llama_f32", torch.float32,
                   dict(r=1, lora_alpha=2, target_modules="all-linear", exclude_modules=["k_proj"])),
    "layers": ("llama_f32", torch.float32,
               dict(r=2, lora_alpha=2, target_modules=["k_proj"], layers_to_transform=[0, 2])),
    "patterns": ("llama_f32", torch.float32,
                 dict(r=2, lora_alpha=3, target_modules=["q_proj", "k_proj", "v_proj"],
                      rank_pattern={r"layers\.0\.self_attn\.q_proj": 4, "k_proj": 1},
                      alpha_pattern={"v_proj": 7, r"model\.layers\.0\.self_attn\.v_proj": 9})),
    "head": ("llama_f32", torch.float32, dict(r=2, lora_alpha=2, target_modules=["lm_head"])),
    "bf16_base": ("llama_bf16", torch.float32,
                  dict(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])),
    "bf16_both": ("llama_bf16", torch.bfloat16, dict(r=1, lora_alpha=1, target_modules=["q_proj"])),
    "f16_base": ("llama_f16", torch.float16, dict(r=1, lora_alpha=2, target_modules=["v_proj"])),
    "conv1d": ("gpt2_f32", torch.float32,
               dict(r=2, lora_alpha=3, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
}


def make_base(name):
    torch.manual_seed(len(name))
    config = GPT2Config(**GPT2) if name.startswith("gpt2") else LlamaConfig(**LLAMA)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[name.split("_")[1]]
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.save_pretrained(HERE / name)


def make_case(name, base, dtype, arguments):
    torch.manual_seed(sum(map(ord, name)))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(HERE / base, dtype="auto")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **arguments))
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            parameter.data = torch.randn_like(parameter) * 0.1
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    path = folder / "adapter_model.safetensors"
    save_file({key: value.to(dtype) for key, value in load_file(path).items()}, path, {"format": "pt"})
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None
    # Sets have no order; a file that is made twice should be the same twice.
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key].sort()
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")

    before = load_file(HERE / base / "model.safetensors")
    model = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(HERE / base, dtype="auto"), folder)
    after = model.merge_and_unload().state_dict()
    changed = {key: after[key].contiguous() for key in before if not torch.equal(before[key], after[key])}
    save_file(changed, folder / "expected.safetensors")
    (folder / "base.txt").write_text(base + "\n")


if __name__ == "__main__":
    for base_name in sorted({case[0] for case in CASES.values()}):
        make_base(base_name)
    for case_name, case in CASES.items():
        make_case(case_name, *case)
