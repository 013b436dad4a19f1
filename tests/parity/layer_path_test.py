"""Layer paths against a decoder in plain PyTorch (plain_decoder.py): logits within 1e-4 and the same greedy ids in fp32, both scale
rules, at tensor-parallel widths 1, 2, 4; and the folders that `galapagos merge` makes of paths, run by transformers.
"""

import copy
import json
import os
import subprocess

import numpy as np
import peft
import pytest
import torch
from plain_decoder import PlainDecoder
from tiny_decoders import BINARY, GEMMA3_ROPE, NEOX, UNEVEN, VOCABULARY, WIDTHS, launch, make_tiny_decoder, read_answers
from transformers import AutoModelForCausalLM

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
    sizes = {} if layers == 3 else {"num_hidden_layers": layers}
    return make_tiny_decoder(model_type, {**CASES[case], **sizes}, ord(name), folder)


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
