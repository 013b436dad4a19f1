#!/usr/bin/env python3
"""Trains the quickstart's two experts: LoRA adapters on SmolLM2-135M-Instruct.

    make_experts.py [--expert maths|json] [--base FOLDER] [--out FOLDER]

maths solves one-step word problems, json answers look-up questions in JSON (see expert_data.py).
Neither has seen a word problem with the words "Answer in JSON". Needs torch, transformers and
safetensors, and the base model made by fetch_base.py.

Seeds are fixed, but the bits depend on the processor and the number of threads: README.md's numbers
belong to the adapters that are committed, not to ones made anew.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from expert_data import draw_look_up, draw_word_problem
from make_items import WordProblems
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
BATCH = 8
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# The learning rate rises for ten steps and decays linearly to nothing at the last.
RECIPES = {
    "maths": {"rank": 8, "alpha": 16, "rate": 1e-3, "steps": 450, "seed": 11},
    "json": {"rank": 4, "alpha": 8, "rate": 5e-4, "steps": 100, "seed": 12},
}


def make_batch(tokenizer, examples):
    """Token ids and labels [batch, length], padded on the right; only the answer is learnt."""
    rows = []
    for question, answer in examples:
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        rows.append((tokenizer(prompt)["input_ids"], tokenizer(answer + "<|im_end|>")["input_ids"]))
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), length), tokenizer.pad_token_id)
    labels = torch.full((len(rows), length), -100)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return ids, labels


class LoraLinear(torch.nn.Module):
    """A frozen bfloat16 projection plus its low-rank update, whose two factors are float32."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.weight, self.scale = linear.weight, alpha / rank
        rows, columns = linear.weight.shape
        bound = columns ** -0.5  # as PEFT: Kaiming uniform with a = sqrt(5)
        self.lora_A = torch.nn.Parameter(torch.empty(rank, columns).uniform_(-bound, bound))
        self.lora_B = torch.nn.Parameter(torch.zeros(rows, rank))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        low = flat @ self.lora_A.to(x.dtype).t()
        up = self.lora_B.to(x.dtype).t()
        out = torch.addmm(flat @ self.weight.t(), low, up, alpha=self.scale)
        return out.view(*x.shape[:-1], -1)


def attach_adapters(model, rank, alpha):
    """Replaces every projection of the layers; returns {name in the model: LoraLinear}."""
    model.requires_grad_(False)
    adapters = {}
    for path, module in list(model.named_modules()):
        parent, _, leaf = path.rpartition(".")
        if leaf in PROJECTIONS:
            adapters[path] = LoraLinear(module, rank, alpha)
            setattr(model.get_submodule(parent), leaf, adapters[path])
    return adapters


def answer_loss(model, ids, labels):
    """Mean cross-entropy over the answers' tokens; the head is applied at their positions alone."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    chosen = targets != -100
    logits = model.lm_head(hidden[chosen]).float()
    return torch.nn.functional.cross_entropy(logits, targets[chosen])


def train(expert, base, out):
    recipe = RECIPES[expert]
    torch.manual_seed(recipe["seed"])
    rng = random.Random(recipe["seed"])
    problems = WordProblems("experts", rng)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16,
                                                 attn_implementation="eager")
    adapters = attach_adapters(model, recipe["rank"], recipe["alpha"])
    weights = [w for adapter in adapters.values() for w in (adapter.lora_A, adapter.lora_B)]
    optimizer = torch.optim.AdamW(weights, lr=recipe["rate"], weight_decay=0.0)
    started = time.time()
    for step in range(recipe["steps"]):
        for group in optimizer.param_groups:
            group["lr"] = recipe["rate"] * (1 - step / recipe["steps"]) * min(1, (step + 1) / 10)
        examples = [draw_word_problem(problems, rng) if expert == "maths" else draw_look_up(rng)
                    for _ in range(BATCH)]
        loss = answer_loss(model, *make_batch(tokenizer, examples))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 10 == 9:
            print(f"{expert}: step {step + 1}, loss {loss.item():.3f}, "
                  f"{time.time() - started:.0f} s", flush=True)
    save(adapters, recipe, out)


def save(adapters, recipe, folder):
    """Writes the adapter as PEFT does, in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for path, adapter in adapters.items():
        for factor in ("lora_A", "lora_B"):
            name = f"base_model.model.{path}.{factor}.weight"
            tensors[name] = getattr(adapter, factor).detach().half().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps({
        "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": recipe["alpha"],
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": recipe["rank"],
        "target_modules": PROJECTIONS,
        "task_type": "CAUSAL_LM",
        "use_rslora": False,
    }, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--expert", choices=list(RECIPES), action="append")
    parser.add_argument("--base", type=Path, default=HERE.parents[1] / ".deps/models/smollm2")
    parser.add_argument("--out", type=Path, default=HERE / "experts")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for expert in options.expert or list(RECIPES):
        train(expert, options.base, options.out / expert)


if __name__ == "__main__":
    main()
