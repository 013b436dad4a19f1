"""The decoder against transformers: logits within 1e-4 and the same greedy ids in fp32, at tensor-parallel widths 1, 2, 4.

Tiny random models cover the settings of each architecture; the quickstart's SmolLM2-135M-Instruct is the real one.
"""

import copy
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_decoders import (GEMMA3_ROPE, LLAMA3, LONGROPE, NEOX, SOURCE, UNEVEN, VOCABULARY, WIDTHS, YARN, launch, make_tiny_decoder,
                           read_answers)
from transformers import AutoModelForCausalLM, AutoTokenizer

SMOLLM2 = Path(os.environ.get("GALAPAGOS_DEPS", SOURCE / ".deps")) / "models/smollm2"

# What each case is there for stands in its name. The first case of an architecture is also run in bfloat16.
CASES = {
    "llama-untied": {},
    "llama-tied": dict(tie_word_embeddings=True),
    "llama-multi_head": dict(num_key_value_heads=4),
    "llama-multi_query": dict(num_key_value_heads=1),
    "llama-uneven_heads": dict(**UNEVEN, head_dim=16),
    "llama-wide_heads": dict(head_dim=32),
    "llama-biases": dict(attention_bias=True, mlp_bias=True),
    "llama-llama3_rope": dict(rope_parameters=LLAMA3),
    "llama-linear_rope": dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "llama-dynamic_rope_before_it_sets_in": dict(max_position_embeddings=256, rope_parameters=dict(
        rope_type="dynamic", rope_theta=10000.0, factor=4.0)),
    "llama-gelu": dict(hidden_act="gelu"),
    "mistral-window": dict(sliding_window=7, head_dim=16, num_key_value_heads=1),
    "mistral-no_window": dict(sliding_window=None),
    "mistral-long_prompt": dict(sliding_window=40),
    "qwen2-biases_and_late_windows": dict(**UNEVEN, use_sliding_window=True, sliding_window=9, max_window_layers=1),
    "qwen2-window_not_used": dict(use_sliding_window=False, sliding_window=5, tie_word_embeddings=True),
    "qwen3-head_norms": dict(head_dim=32, rope_parameters=YARN),
    "qwen3-window_by_layer_type": dict(
        **UNEVEN, head_dim=12, attention_bias=True, use_sliding_window=True, sliding_window=6,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"]),
    "gemma2-caps_and_windows": dict(hidden_size=60, num_attention_heads=6, num_key_value_heads=3, head_dim=16,
                                    query_pre_attn_scalar=20, attn_logit_softcapping=3.0, final_logit_softcapping=5.0,
                                    sliding_window=6),
    "gemma2-no_caps": dict(head_dim=8, attn_logit_softcapping=None, final_logit_softcapping=None, sliding_window=100,
                           hidden_activation="gelu", attention_bias=True, tie_word_embeddings=True),
    "gemma3_text-two_ropes": dict(num_hidden_layers=7, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=30,
                                  sliding_window=5, rope_parameters=GEMMA3_ROPE, tie_word_embeddings=True),
    "gemma3_text-caps": dict(head_dim=10, sliding_window=9, attn_logit_softcapping=4.0, final_logit_softcapping=3.0),
    "phi3-partial_rotary": dict(hidden_size=72, num_attention_heads=9, num_key_value_heads=3, sliding_window=11,
                                rope_parameters=dict(rope_type="default", rope_theta=9000.0, partial_rotary_factor=0.5)),
    "phi3-longrope": dict(hidden_size=32, original_max_position_embeddings=128, max_position_embeddings=512,
                          rope_parameters=LONGROPE),
    "gpt2-defaults": {},
    "gpt2-scores_scaled_by_layer": dict(scale_attn_by_inverse_layer_idx=True, activation_function="gelu", n_inner=None,
                                        tie_word_embeddings=False),
    "gpt_neox-parallel": NEOX,
    "gpt_neox-sequential": dict(**NEOX, use_parallel_residual=False, attention_bias=False,
                                rope_parameters=dict(rope_type="default", rope_theta=700.0, partial_rotary_factor=1.0)),
    "mixtral-top2": dict(intermediate_size=72, num_attention_heads=6, num_key_value_heads=3, head_dim=8,
                         num_local_experts=5),
    "mixtral-window_top3": dict(intermediate_size=72, num_local_experts=4, num_experts_per_tok=3, sliding_window=7),
}
FIRST = [name for i, name in enumerate(CASES) if name.split("-")[0] not in [n.split("-")[0] for n in list(CASES)[:i]]]


def sequences_of(case):
    lengths = (700,) if case.endswith("long_prompt") else (1, 2, 19, 70)
    random = np.random.default_rng(5)
    return [random.integers(3, VOCABULARY, length).tolist() for length in lengths]


def requests_of(case):
    sequences = sequences_of(case)
    longest = max(map(len, sequences))
    requests = {
        "options": {"max_batch": 3, "max_tokens": max(128, longest + 24), "batch_tokens": 64 if longest < 128 else 1024},
        "logits": sequences,
        "generate": [{"prompt": ids, "max_new_tokens": 24} for ids in sequences],
    }
    if len(sequences) > 2:
        requests["score"] = [{"context": sequences[2], "continuation": sequences[3][:n]} for n in (1, 4, 9)]
    return requests


def answer(folder, requests, width, scratch, dtype="F32"):
    question, reply = scratch / f"requests{width}.json", scratch / f"answers{width}.json"
    question.write_text(json.dumps(requests))
    launch([(folder, dtype, question, reply)], width)
    return read_answers(reply, requests)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """All tiny models and what run_decoder says of them: {(case, dtype, width): answers}."""
    root = tmp_path_factory.mktemp("tiny")
    models = {case: make_tiny_decoder(case.split("-")[0], CASES[case], 3, root / case) for case in CASES}
    answers = {}
    for width in WIDTHS:
        jobs = {}
        for case, dtype in [(case, "F32") for case in CASES] + [(case, "BF16") for case in FIRST]:
            question, reply = (root / f"{case}.{dtype}.{width}.{kind}.json" for kind in ("questions", "answers"))
            question.write_text(json.dumps(requests_of(case)))
            jobs[case, dtype] = (root / case, dtype, question, reply)
        launch(jobs.values(), width)
        for (case, dtype), job in jobs.items():
            answers[case, dtype, width] = read_answers(job[3], requests_of(case))
    return models, answers


def reference_logits(model, sequences):
    with torch.no_grad():
        return np.concatenate([model(torch.tensor([ids])).logits[0].float().numpy() for ids in sequences])


def reference_ids(model, prompt, count):
    ids = torch.tensor([prompt])
    with torch.no_grad():
        output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
                                eos_token_id=None, pad_token_id=0)
    return output[0, len(prompt):].tolist()


def reference_score(model, request):
    ids = request["context"] + request["continuation"]
    log_probabilities = torch.log_softmax(torch.from_numpy(reference_logits(model, [ids])).double(), -1)
    first = len(request["context"])
    return sum(log_probabilities[i - 1, ids[i]].item() for i in range(first, len(ids)))


@pytest.mark.parametrize("case", CASES)
def test_tiny_models(case, tiny):
    models, answers = tiny
    model, requests = models[case], requests_of(case)
    logits = reference_logits(model, requests["logits"])
    ids = [reference_ids(model, request["prompt"], request["max_new_tokens"]) for request in requests["generate"]]
    scores = [reference_score(model, request) for request in requests.get("score", [])]
    assert np.abs(logits).max() > 1
    for width in WIDTHS:
        got = answers[case, "F32", width]
        assert np.abs(got["logits"] - logits).max() < 1e-4, width
        assert [generation["ids"] for generation in got["generate"]] == ids, width
        assert [score["log_likelihood"] for score in got.get("score", [])] == pytest.approx(scores, abs=1e-4), width


@pytest.mark.parametrize("case", FIRST)
def test_tiny_models_in_bfloat16(case, tiny):
    """bf16 rounds at the same places: on average the logits are no further from the exact ones than transformers' own."""
    models, answers = tiny
    sequences = sequences_of(case)
    model = copy.deepcopy(models[case]).bfloat16()
    logits = reference_logits(model, sequences)
    exact = reference_logits(model.float(), sequences)
    for width in WIDTHS:
        error = np.abs(answers[case, "BF16", width]["logits"] - exact).mean()
        assert error < 1.5 * np.abs(logits - exact).mean() + 1e-3, width


def real_prompts(tokenizer, count):
    questions = ["What is the capital of {}?", "Write one sentence about {}.", "How would you travel to {}?",
                 "Is it warm in {} in summer?", "Name three things that {} is known for."]
    places = ["France", "Japan", "Kenya", "Peru", "Norway", "Egypt", "Canada", "India", "Greece", "Brazil"]
    texts = [question.format(place) for place in places for question in questions][:count]
    chat = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    return [tokenizer(chat.format(text), add_special_tokens=False).input_ids for text in texts]


def check_real_model(prompt_count, new_tokens, tmp_path):
    assert SMOLLM2.is_dir(), f"{SMOLLM2} is missing: run ./setup.sh"
    tokenizer = AutoTokenizer.from_pretrained(SMOLLM2)
    model = AutoModelForCausalLM.from_pretrained(SMOLLM2, dtype=torch.float32)
    prompts = real_prompts(tokenizer, prompt_count)
    requests = {
        "options": {"max_batch": 32, "max_tokens": 256, "batch_tokens": 512},
        "logits": prompts[:4],
        "generate": [{"prompt": ids, "max_new_tokens": new_tokens} for ids in prompts],
    }
    logits = reference_logits(model, prompts[:4])
    texts = [tokenizer.decode(reference_ids(model, ids, new_tokens)) for ids in prompts]
    for width in WIDTHS:
        answers = answer(SMOLLM2, requests, width, tmp_path)
        assert np.abs(answers["logits"] - logits).max() < 1e-4, width
        assert [tokenizer.decode(generation["ids"]) for generation in answers["generate"]] == texts, width


def test_real_model(tmp_path):
    check_real_model(4, 16, tmp_path)


@pytest.mark.slow
def test_real_model_on_fifty_prompts(tmp_path):
    check_real_model(50, 64, tmp_path)
