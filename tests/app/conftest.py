"""Tiny models, a task and a config: an evolution that takes a second, run with the real program under mpirun."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SOURCE = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("GALAPAGOS_BINARY_DIR", SOURCE / "build/release"))
PROGRAM = BINARY / "src/app/galapagos"
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                   OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")

CONFIG = """
galapagos: 1
name: tiny
seed: 3
models: {{base: {models}/base, sources: [{models}/a, {models}/b]}}
merge: {{method: {method}}}
search:
  layer_groups: 2
  modules: [attention, mlp]
  genes: {{weight: {{lower: -0.5, upper: 1.5, initial: 0.5}}, density: {{lower: 0.2, upper: 1, initial: 0.8}}}}
  optimizer: {{name: {optimizer}, population: 6}}
tasks: [{models}/task.yaml]
evaluation: {{dtype: fp32, max_batch: 8}}
islands: {{count: {islands}}}
migration: {{interval: 2}}
budget: {{generations: {generations}}}
"""

TASK = """
galapagos_task: 1
name: text
kind: loglikelihood
items: {train: train.jsonl, validation: validation.jsonl, test: test.jsonl}
prompt: "{context}"
loglikelihood: {continuation: "{continuation}"}
"""


def make_model(folder, seed, base=None):
    torch.manual_seed(seed)
    config = LlamaConfig(vocab_size=256, hidden_size=48, intermediate_size=96, num_hidden_layers=4, num_attention_heads=6,
                         num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=0,
                         eos_token_id=0, initializer_range=0.2)
    model = LlamaForCausalLM(config)
    if base is not None:  # a fine-tuned relative: the base with small changes
        with torch.no_grad():
            for mine, theirs in zip(model.parameters(), base.parameters()):
                mine.copy_(theirs + 0.3 * mine)
    model.to(torch.float32).save_pretrained(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return model


def make_tiny(folder):
    """Three related models and a task."""
    torch.set_num_threads(1)
    base = make_model(folder / "base", 1)
    make_model(folder / "a", 2, base)
    make_model(folder / "b", 3, base)
    (folder / "task.yaml").write_text(TASK)
    for split, first in (("train", 0), ("validation", 100), ("test", 200)):
        items = [{"id": f"i{first + i}", "context": f"number {first + i} is", "continuation": f" {3 * (first + i)} or so"} for i in range(10)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def write_config(tiny, tmp_path):
    def write(islands=1, generations=4, method="[ties, dare_ties]", optimizer="ga", extra=""):
        path = tmp_path / "evolve.yaml"
        path.write_text(CONFIG.format(models=tiny, islands=islands, generations=generations, method=method, optimizer=optimizer) + extra)
        return path
    return write


def command(ranks, *arguments):
    return ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", str(PROGRAM), *map(str, arguments)]


def run(ranks, *arguments, status=0, timeout=300):
    """Runs the program under mpirun; returns what it printed on stdout and stderr."""
    done = subprocess.run(command(ranks, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def run_alone(*arguments, status=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


TIMING = {"seconds", "started", "ended", "time", "merge_seconds", "evaluation_seconds", "evaluator", "events", "parts", "root", "run", "warnings"}


def history(run_dir):
    """The history of a run without what may differ between two runs of one search: times, evaluators, events."""
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items() if key not in TIMING}
        if isinstance(value, list):
            return [strip(inner) for inner in value]
        return value
    return strip(json.loads(run_alone("history", run_dir, "--json")[0]))
