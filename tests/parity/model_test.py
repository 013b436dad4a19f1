"""The decoder against transformers: logits within 1e-4 and the same greedy ids in fp32, at tensor-parallel widths 1, 2, 4.

Tiny random models cover the settings of a Llama config; the quickstart's SmolLM2-135M-Instruct is the real one.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

SOURCE = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GALAPAGOS_BINARY_DIR", SOURCE / "build/release"))
SMOLLM2 = Path(os.environ.get("GALAPAGOS_DEPS", SOURCE / ".deps")) / "models/smollm2"
WIDTHS = (1, 2, 4)
# Two thread pools on a busy machine wait for each other; one thread is quick enough.
torch.set_num_threads(1)

TINY = dict(vocab_size=131, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, rms_norm_eps=1e-5, tie_word_embeddings=False, initializer_range=0.3)
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=32)
VARIANTS = {
    "untied": {},
    "tied": dict(tie_word_embeddings=True),
    "multi_head": dict(num_key_value_heads=4),
    "multi_query": dict(num_key_value_heads=1),
    "uneven_heads": dict(hidden_size=54, num_attention_heads=9, num_key_value_heads=3, head_dim=16),
    "wide_heads": dict(head_dim=32),
    "biases": dict(attention_bias=True, mlp_bias=True),
    "llama3_rope": dict(rope_parameters=LLAMA3_ROPE),
    "linear_rope": dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
}


def answer(folder, requests, width, scratch, dtype="F32"):
    """What run_decoder says, with its logits as one array [positions, vocabulary]."""
    question, reply = scratch / f"requests{width}.json", scratch / f"answers{width}.json"
    question.write_text(json.dumps(requests))
    command = [BINARY / "tests/model/run_decoder", folder, dtype, question, reply]
    if width > 1:
        command = ["mpirun", "-n", str(width), "--oversubscribe", "--bind-to", "none", *command]
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    subprocess.run(command, check=True, env=environment, timeout=1800)
    answers = json.loads(reply.read_text())
    if "logits" in requests:
        positions = sum(len(ids) for ids in requests["logits"])
        answers["logits"] = np.fromfile(f"{reply}.logits", np.float32).reshape(positions, -1)
    return answers


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


def tiny_model(variant, folder):
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(**{**TINY, **VARIANTS[variant]})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Norm weights and biases start as constants, which would hide a missing one.
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("variant", VARIANTS)
def test_tiny_models(variant, tmp_path):
    model = tiny_model(variant, tmp_path / "model")
    random = np.random.default_rng(5)
    sequences = [random.integers(0, TINY["vocab_size"], length).tolist() for length in (1, 2, 19, 70)]
    requests = {
        "options": {"max_batch": 3, "max_tokens": 128, "batch_tokens": 64},
        "logits": sequences,
        "generate": [{"prompt": ids, "max_new_tokens": 24} for ids in sequences],
        "score": [{"context": sequences[2], "continuation": sequences[3][:n]} for n in (1, 4, 9)],
    }
    logits = reference_logits(model, sequences)
    ids = [reference_ids(model, prompt, 24) for prompt in sequences]
    scores = [reference_score(model, request) for request in requests["score"]]
    assert np.abs(logits).max() > 1
    for width in WIDTHS:
        answers = answer(tmp_path / "model", requests, width, tmp_path)
        assert np.abs(answers["logits"] - logits).max() < 1e-4, width
        assert [generation["ids"] for generation in answers["generate"]] == ids, width
        assert [score["log_likelihood"] for score in answers["score"]] == pytest.approx(scores, abs=1e-4), width


def test_tiny_model_in_bfloat16(tmp_path):
    """bf16 rounds at the same places: the logits differ by a few units in the last place of bf16, not more."""
    model = tiny_model("uneven_heads", tmp_path / "model").bfloat16()
    ids = np.random.default_rng(5).integers(0, TINY["vocab_size"], 40).tolist()
    logits = reference_logits(model, [ids])
    exact = reference_logits(model.float(), [ids])
    for width in WIDTHS:
        answers = answer(tmp_path / "model", {"logits": [ids]}, width, tmp_path, "BF16")
        error = np.abs(answers["logits"] - exact).mean()
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
