"""Tiny random decoders of each architecture, and what run_decoder says of models."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM

SOURCE = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GALAPAGOS_BINARY_DIR", SOURCE / "build/release"))
WIDTHS = (1, 2, 4)
# Two thread pools on a busy machine wait for each other; one thread is quick enough.
torch.set_num_threads(1)

VOCABULARY = 131
SIZES = dict(vocab_size=VOCABULARY, hidden_size=48, intermediate_size=70, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, tie_word_embeddings=False, initializer_range=0.25, bos_token_id=0, eos_token_id=1,
             pad_token_id=2)
UNEVEN = dict(hidden_size=54, num_attention_heads=9, num_key_value_heads=3)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)
LONGROPE = dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0, 1.3, 1.7, 2.9], long_factor=[1.0, 2, 4, 9])
GPT2 = dict(vocab_size=VOCABULARY, n_embd=48, n_layer=3, n_head=6, n_positions=128, n_inner=70, initializer_range=0.25,
            bos_token_id=0, eos_token_id=1)
NEOX = dict(hidden_size=72, num_attention_heads=6, num_key_value_heads=None)
GEMMA3_ROPE = dict(sliding_attention=dict(rope_type="default", rope_theta=300.0),
                   full_attention=dict(rope_type="linear", rope_theta=20000.0, factor=8.0))


def make_tiny_decoder(model_type, settings, seed, folder):
    """Sizes are those above where `settings` say nothing."""
    settings = {**(GPT2 if model_type == "gpt2" else SIZES), **settings}
    if model_type == "gpt_neox":
        del settings["num_key_value_heads"]
    torch.manual_seed(seed)
    config = transformers.CONFIG_MAPPING[model_type](**settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Norm weights and biases start as constants, which would hide a missing one.
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(folder)
    return model


def launch(jobs, width):
    """Runs jobs (folder, dtype, requests, answers) one after the other in one launch: starting costs more than a tiny model."""
    command = [BINARY / "tests/model/run_decoder", *(part for job in jobs for part in job)]
    if width > 1:
        command = ["mpirun", "-n", str(width), "--oversubscribe", "--bind-to", "none", *command]
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    subprocess.run(command, check=True, env=environment, timeout=1800)


def read_answers(reply, requests):
    """What run_decoder says, with its logits as one array [positions, vocabulary]."""
    answers = json.loads(reply.read_text())
    if "logits" in requests:
        positions = sum(len(ids) for ids in requests["logits"])
        answers["logits"] = np.fromfile(f"{reply}.logits", np.float32).reshape(positions, -1)
    return answers
