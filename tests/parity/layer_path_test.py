"""Layer paths against a decoder written here in plain PyTorch: logits within 1e-4 and the same greedy ids in fp32, both scale
rules, at tensor-parallel widths 1, 2, 4; and the folders that `galapagos merge` makes of paths, run by transformers.
"""

import copy
import json
import math
import os
import subprocess

import numpy as np
import peft
import pytest
import torch
import transformers
from model_test import BINARY, GEMMA3_ROPE, GPT2, NEOX, SIZES, UNEVEN, VOCABULARY, WIDTHS, launch, read_answers
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)

CASES = {
    "llama": {},
    "llama-tied_uneven": dict(**UNEVEN, head_dim=16, tie_word_embeddings=True),
    "mistral": dict(sliding_window=7),
    "qwen2": dict(use_sliding_window=True, sliding_window=6, max_window_layers=1),
    "qwen3": dict(head_dim=16),
    "gemma2": dict(head_dim=8, query_pre_attn_scalar=20, attn_logit_softcapping=3.0, final_logit_softcapping=5.0, sliding_window=6),
    "gemma3_text": dict(head_dim=16, query_pre_attn_scalar=30, sliding_window=5, rope_parameters=GEMMA3_ROPE,
                        layer_types=["sliding_attention", "full_attention", "sliding_attention"], tie_word_embeddings=True),
    "phi3": dict(sliding_window=11, rope_parameters=dict(rope_type="default", rope_theta=9000.0, partial_rotary_factor=0.5)),
    "gpt2": dict(scale_attn_by_inverse_layer_idx=True),
    "gpt_neox": NEOX,
    "gpt_neox-sequential": dict(**NEOX, use_parallel_residual=False),
    "mixtral": dict(intermediate_size=36, num_local_experts=4),
}
SCALED = [("b", 2, 0.9), ("a", 0, 1), ("a", 1, 0.75), ("a", 1, 1.2), ("b", 1, 1), ("a", 2, -0.4), ("a", 0, 1.1)]
PATHS = {
    "branch": ("branch", SCALED),
    "stream": ("stream", SCALED),
}
IN_BFLOAT16 = ["llama", "gemma2", "phi3", "gpt_neox"]
UNSCALED = ("branch", [(model, layer, 1) for model, layer, _ in SCALED])
SEQUENCES = [np.random.default_rng(5).integers(3, VOCABULARY, length).tolist() for length in (1, 2, 40)]
REQUESTS = {"options": {"max_batch": 3, "max_tokens": 64, "batch_tokens": 64}, "logits": SEQUENCES,
            "generate": [{"prompt": ids, "max_new_tokens": 10} for ids in SEQUENCES]}


def make_model(case, name, folder, layers=3):
    model_type = case.split("-")[0]
    settings = {**(GPT2 if model_type == "gpt2" else SIZES), **CASES[case]}
    if model_type == "gpt_neox":
        del settings["num_key_value_heads"]
    if layers != 3:
        settings["num_hidden_layers"] = layers
    torch.manual_seed(ord(name))
    config = transformers.CONFIG_MAPPING[model_type](**settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Norm weights and biases start as constants, which would hide a missing one.
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    return model


class PlainDecoder:
    """One sequence at a time, without a cache, from a state dict; what it knows of an architecture stands in the names of its tensors
    and a few settings. It computes in double precision unless told otherwise: two programs in fp32 differ by more than each from the
    truth."""

    def __init__(self, model, dtype=torch.float64):
        self.config, self.kind = model.config, model.config.model_type
        self.weights = {name.removeprefix("model.").removeprefix("transformer.").removeprefix("gpt_neox."): tensor.to(dtype)
                        for name, tensor in model.state_dict().items()}
        self.gemma = self.kind.startswith("gemma")
        self.heads = self.config.num_attention_heads
        self.kv_heads = getattr(self.config, "num_key_value_heads", None) or self.heads
        self.head_dim = getattr(self.config, "head_dim", None) or self.config.hidden_size // self.heads

    def layer(self, number):
        prefix = {"gpt2": "h", "gpt_neox": "layers"}.get(self.kind, "layers") + f".{number}."
        return {name[len(prefix):]: tensor for name, tensor in self.weights.items() if name.startswith(prefix)}

    def norm(self, w, name, x):
        weight = w[name + ".weight"]
        if name + ".bias" in w:
            epsilon = getattr(self.config, "layer_norm_epsilon", getattr(self.config, "layer_norm_eps", None))
            return F.layer_norm(x, weight.shape, weight, w[name + ".bias"], epsilon)
        wide = x.double()
        wide = wide / torch.sqrt((wide * wide).mean(-1, keepdim=True) + self.config.rms_norm_eps)
        return wide.to(x.dtype) * (1 + weight if self.gemma else weight)

    def linear(self, w, name, x):
        weight = w[name + ".weight"]
        return x @ (weight if self.kind == "gpt2" else weight.T) + w.get(name + ".bias", 0)

    def embed(self, ids):
        if self.kind == "gpt2":
            return self.weights["wte.weight"][ids] + self.weights["wpe.weight"][: len(ids)]
        x = self.weights["embed_in.weight" if self.kind == "gpt_neox" else "embed_tokens.weight"][ids]
        return x * math.sqrt(self.config.hidden_size) if self.gemma else x

    def head(self, x):
        x = self.norm(self.weights, {"gpt2": "ln_f", "gpt_neox": "final_layer_norm"}.get(self.kind, "norm"), x)
        logits = x @ self.weights["embed_out.weight" if "embed_out.weight" in self.weights else "lm_head.weight"].T
        cap = getattr(self.config, "final_logit_softcapping", None)
        return cap * torch.tanh(logits / cap) if cap else logits

    def window(self, number):
        if self.kind in ("mistral", "phi3"):
            return self.config.sliding_window
        types = getattr(self.config, "layer_types", None)
        return self.config.sliding_window if types and types[number] == "sliding_attention" else None

    def rotate(self, x, number):
        """x: [heads, tokens, head_dim]; the first part of each head turns, in pairs half a part apart."""
        if self.kind == "gpt2":
            return x
        rope = self.config.rope_parameters
        rope = rope.get(self.config.layer_types[number], rope) if self.kind == "gemma3_text" else rope
        size = int(self.head_dim * rope.get("partial_rotary_factor", 1.0))
        rates = rope["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size) / rope.get("factor", 1.0)
        angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float32), rates)
        pairs = len(rates)
        low, high, rest = x[..., :pairs], x[..., pairs: 2 * pairs], x[..., 2 * pairs:]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        return torch.cat([low * cos - high * sin, high * cos + low * sin, rest], -1)

    def heads_of(self, w, x):
        """Queries, keys and values, each [heads, tokens, head_dim]."""
        tokens, d = len(x), self.head_dim
        if self.kind == "gpt_neox":  # head by head: query, key, value
            parts = self.linear(w, "attention.query_key_value", x).view(tokens, self.heads, 3, d)
            return [parts[:, :, i].transpose(0, 1) for i in range(3)]
        if self.kind == "gpt2":
            return [part.view(tokens, self.heads, d).transpose(0, 1) for part in self.linear(w, "attn.c_attn", x).chunk(3, -1)]
        if self.kind == "phi3":  # query heads, then key heads, then value heads
            parts = self.linear(w, "self_attn.qkv_proj", x).view(tokens, -1, d).transpose(0, 1)
            return list(parts.split([self.heads, self.kv_heads, self.kv_heads]))
        q, k, v = (self.linear(w, f"self_attn.{n}_proj", x).view(tokens, -1, d).transpose(0, 1) for n in "qkv")
        if "self_attn.q_norm.weight" in w:
            q, k = self.norm(w, "self_attn.q_norm", q), self.norm(w, "self_attn.k_norm", k)
        return [q, k, v]

    def attention(self, w, x, number):
        tokens = len(x)
        q, k, v = self.heads_of(w, x)
        q, k = self.rotate(q, number), self.rotate(k, number)
        k, v = (part.repeat_interleave(self.heads // self.kv_heads, 0) for part in (k, v))
        scores = q @ k.transpose(1, 2) / math.sqrt(getattr(self.config, "query_pre_attn_scalar", self.head_dim))
        if getattr(self.config, "scale_attn_by_inverse_layer_idx", False):
            scores = scores / (number + 1)
        cap = getattr(self.config, "attn_logit_softcapping", None) if self.kind == "gemma2" else None
        scores = cap * torch.tanh(scores / cap) if cap else scores
        ages = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
        seen = (ages >= 0) & (ages < (self.window(number) or tokens))
        attended = scores.masked_fill(~seen, -math.inf).softmax(-1) @ v
        name = {"gpt2": "attn.c_proj", "gpt_neox": "attention.dense"}.get(self.kind, "self_attn.o_proj")
        return self.linear(w, name, attended.transpose(0, 1).reshape(tokens, -1))

    def mlp(self, w, x):
        if self.kind == "mixtral":
            return self.experts(w, x)
        if self.kind == "gpt2":
            return self.linear(w, "mlp.c_proj", F.gelu(self.linear(w, "mlp.c_fc", x), approximate="tanh"))
        if self.kind == "gpt_neox":
            return self.linear(w, "mlp.dense_4h_to_h", F.gelu(self.linear(w, "mlp.dense_h_to_4h", x)))
        if self.kind == "phi3":
            gate, up = self.linear(w, "mlp.gate_up_proj", x).chunk(2, -1)
            return self.linear(w, "mlp.down_proj", F.silu(gate) * up)
        gate = self.linear(w, "mlp.gate_proj", x)
        gate = F.gelu(gate, approximate="tanh") if self.gemma else F.silu(gate)
        return self.linear(w, "mlp.down_proj", gate * self.linear(w, "mlp.up_proj", x))

    def experts(self, w, x):
        shares, chosen = (x @ w["mlp.gate.weight"].T).softmax(-1).topk(self.config.num_experts_per_tok)
        shares = shares / shares.sum(-1, keepdim=True)
        result = torch.zeros_like(x)
        for token in range(len(x)):
            for share, expert in zip(shares[token], chosen[token]):
                gate, up = (w["mlp.experts.gate_up_proj"][expert] @ x[token]).chunk(2)
                result[token] += share * (w["mlp.experts.down_proj"][expert] @ (F.silu(gate) * up))
        return result

    def run_layer(self, number, x):
        """The residual stream after the layer's first addition, and what the layer adds last."""
        w = self.layer(number)
        if self.kind == "gpt_neox" and self.config.use_parallel_residual:
            return x, (self.attention(w, self.norm(w, "input_layernorm", x), number)
                       + self.mlp(w, self.norm(w, "post_attention_layernorm", x)))
        first, second = ("ln_1", "ln_2") if self.kind == "gpt2" else ("input_layernorm", "post_attention_layernorm")
        added = self.attention(w, self.norm(w, first, x), number)
        if not self.gemma:
            x = x + added
            return x, self.mlp(w, self.norm(w, second, x))
        x = x + self.norm(w, "post_attention_layernorm", added)
        return x, self.norm(w, "post_feedforward_layernorm", self.mlp(w, self.norm(w, "pre_feedforward_layernorm", x)))


@torch.no_grad()
def run_path(models, rule, hops, donor, ids):
    """Logits of one sequence. `branch` scales what the hop before added last, `stream` the whole residual stream."""
    stream, added = donor.embed(torch.tensor(ids)), None
    for model, number, scale in hops:
        if added is None:
            stream = stream * scale
        elif rule == "branch":
            stream = stream + added * scale
        else:
            stream = (stream + added) * scale
        stream, added = models[model].run_layer(number, stream)
    return donor.head(stream + added).double().numpy()


def generate(models, rule, hops, donor, ids, count):
    ids, prompt = list(ids), len(ids)
    for _ in range(count):
        ids.append(int(run_path(models, rule, hops, donor, ids)[-1].argmax()))
    return ids[prompt:]


def write_recipe(path, folder, rule, hops, base="a"):
    """Hops over the folders of models a and b below `folder`."""
    lines = [f"base_model: {folder}/{base}", "layer_path:", f"  scale_rule: {rule}", "  hops:"]
    lines += [f"    - {{model: {folder}/{model}, layer: {number}, scale: {scale}}}" for model, number, scale in hops]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Two models a case, and what run_decoder says of every path over them: {(case, path, dtype, width): answers}."""
    root = tmp_path_factory.mktemp("paths")
    models = {case: {name: make_model(case, name, root / case / name) for name in "ab"} for case in CASES}
    (root / "requests.json").write_text(json.dumps(REQUESTS))
    answers = {}
    for width in WIDTHS:
        jobs = {}
        for case in CASES:
            for name, (rule, hops) in PATHS.items():
                recipe = write_recipe(root / case / f"{name}.yaml", root / case, rule, hops)
                for dtype in ("F32", "BF16") if case in IN_BFLOAT16 else ("F32",):
                    jobs[case, name, dtype] = (recipe, dtype, root / "requests.json", root / case / f"{name}.{dtype}.{width}.json")
        launch(jobs.values(), width)
        for (case, name, dtype), job in jobs.items():
            answers[case, name, dtype, width] = read_answers(job[3], REQUESTS)
    return root, models, answers


def plain(models):
    return {name: PlainDecoder(model) for name, model in models.items()}


def check(answers, models, rule, hops, donor):
    """Answers of several widths."""
    logits = np.concatenate([run_path(models, rule, hops, models[donor], ids) for ids in SEQUENCES])
    assert np.abs(logits).max() > 1
    ids = [generate(models, rule, hops, models[donor], r["prompt"], r["max_new_tokens"]) for r in REQUESTS["generate"]]
    for got in answers:
        assert np.abs(got["logits"] - logits).max() < 1e-4
        assert [generation["ids"] for generation in got["generate"]] == ids


@pytest.mark.parametrize("case", CASES)
def test_the_plain_decoder_is_transformers(case, tiny):
    model = tiny[1][case]["a"]
    mine = plain({"a": model})
    for ids in SEQUENCES:
        logits = run_path(mine, "branch", [("a", layer, 1) for layer in range(3)], mine["a"], ids)
        with torch.no_grad():
            assert np.abs(logits - model(torch.tensor([ids])).logits[0].numpy()).max() < 1e-4


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", CASES)
def test_paths(case, path, tiny):
    _, models, answers = tiny
    check([answers[case, path, "F32", width] for width in WIDTHS], plain(models[case]), *PATHS[path], "a")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", IN_BFLOAT16)
def test_paths_in_bfloat16(case, path, tiny):
    """On average the logits are no further from the exact ones of the rounded weights than those of the plain decoder in bfloat16."""
    _, models, answers = tiny
    rule, hops = PATHS[path]
    rounded = {name: copy.deepcopy(model).bfloat16() for name, model in models[case].items()}
    exact, short = (
        np.concatenate([run_path(decoders, rule, hops, decoders["a"], ids) for ids in SEQUENCES])
        for decoders in (plain(rounded), {name: PlainDecoder(model, torch.bfloat16) for name, model in rounded.items()})
    )
    for width in WIDTHS:
        error = np.abs(answers[case, path, "BF16", width]["logits"] - exact).mean()
        assert error < 1.5 * np.abs(short - exact).mean() + 1e-3, width


@pytest.mark.parametrize("case, targets", [("llama", "all-linear"), ("phi3", ["qkv_proj", "gate_up_proj", "down_proj"]),
                                           ("gpt2", ["c_attn", "c_fc"])])
def test_a_source_with_an_adapter(case, targets, tiny, tmp_path, monkeypatch):
    """A path over a model, another one, and that one with a LoRA adapter."""
    monkeypatch.setenv("GALAPAGOS_CACHE", str(tmp_path / "cache"))
    root, models, _ = tiny
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=targets, task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(9)
    adapted = peft.get_peft_model(copy.deepcopy(models[case]["b"]), config)
    adapted.save_pretrained(tmp_path / "lora")
    sources = {**models[case], f"b+{tmp_path}/lora": adapted.merge_and_unload()}
    hops = [("b", 0, 1), (f"b+{tmp_path}/lora", 0, 0.8), ("a", 1, 1.1), (f"b+{tmp_path}/lora", 2, 1), ("b", 2, 0.9)]
    (tmp_path / "requests.json").write_text(json.dumps(REQUESTS))
    for rule in ("branch", "stream"):
        recipe = write_recipe(tmp_path / f"{rule}.yaml", root / case, rule, hops)
        launch([(recipe, "F32", tmp_path / "requests.json", tmp_path / f"{rule}.json")], 2)
        check([read_answers(tmp_path / f"{rule}.json", REQUESTS)], plain(sources), rule, hops, "a")


def test_sources_of_other_depths_and_rotary_embeddings(tmp_path):
    models = {"a": make_model("llama", "a", tmp_path / "a"), "b": make_model("llama", "b", tmp_path / "b", layers=5)}
    config = json.loads((tmp_path / "b/config.json").read_text())
    config["rope_parameters"]["rope_theta"] = models["b"].config.rope_parameters["rope_theta"] = 300.0
    (tmp_path / "b/config.json").write_text(json.dumps(config))
    hops = [("b", 0, 1), ("a", 2, 0.8), ("b", 4, 1), ("b", 4, 1), ("a", 0, 1)]
    recipe = write_recipe(tmp_path / "path.yaml", tmp_path, "branch", hops, base="b")
    (tmp_path / "requests.json").write_text(json.dumps(REQUESTS))
    launch([(recipe, "F32", tmp_path / "requests.json", tmp_path / "answers.json")], 2)
    check([read_answers(tmp_path / "answers.json", REQUESTS)], plain(models), "branch", hops, "b")


def merge(recipe, out):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return subprocess.run([BINARY / "src/app/galapagos", "merge", recipe, out], env=environment, capture_output=True, text=True,
                          timeout=300)


# Cases whose scales can't be written to a folder, and why.
REFUSED = {"llama-tied_uneven": "embeddings", "gemma2": "normalised", "gemma3_text": "embeddings", "gpt2": "attention scale"}


@pytest.mark.parametrize("case", CASES)
def test_folders(case, tiny, tmp_path):
    root, models, _ = tiny
    path = PATHS["branch"]
    done = merge(root / case / "branch.yaml", tmp_path / "out")
    if case in REFUSED:
        assert done.returncode == 2 and REFUSED[case] in done.stderr
        assert not (tmp_path / "out").exists()
        path = UNSCALED
        done = merge(write_recipe(tmp_path / "unscaled.yaml", root / case, *path), tmp_path / "out")
        if case == "gpt2":
            assert done.returncode == 2 and REFUSED[case] in done.stderr
            return
    assert done.returncode == 0, done.stderr
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out", attn_implementation="eager", dtype=torch.float32)
    for ids in SEQUENCES:
        logits = run_path(plain(models[case]), *path, plain(models[case])["a"], ids)
        with torch.no_grad():
            assert np.abs(logits - written(torch.tensor([ids])).logits[0].numpy()).max() < 1e-4
