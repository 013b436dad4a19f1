"""A few generations of a search over models in the shapes of Mistral-7B on one GPU, bf16, random weights: seconds of a candidate, against what
`galapagos plan` foretells from the GPU's rates, and the share of the time in which the GPU had a kernel to run (nvidia-smi samples it).

The models (a base and two that are merged with it) are written to the temporary folder: 44 GB, or TMPDIR names another.
"""

import argparse
import json
import pathlib
import random
import shutil
import string
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

import decoder
import mistral

CONFIG = """
galapagos: 1
name: bench
seed: 1
models: {{base: {folder}/base, sources: [{folder}/a, {folder}/b]}}
merge: {{method: [ties, dare_ties]}}
search:
  layer_groups: 2
  genes: {{weight: {{lower: 0, upper: 1, initial: 0.5}}, density: {{lower: 0.2, upper: 1, initial: 0.8}}}}
  optimizer: {{name: ga, population: {population}}}
tasks: [{folder}/task.yaml]
evaluation: {{device: gpu, dtype: bf16, max_batch: {batch}, batch_tokens: 8192}}
budget: {{generations: {generations}}}
"""
TASK = """
galapagos_task: 1
name: text
kind: generate
items: {{train: train.jsonl, validation: validation.jsonl, test: test.jsonl}}
prompt: "{{context}}"
generate: {{max_new_tokens: {new}}}
answer: {{pattern: "(.*)", compare: exact, target: "{{continuation}}"}}
"""
SIZES = {"population": 8, "generations": 3, "batch": 64, "items": 64, "given": 256, "new": 64}
TINY = {"population": 4, "generations": 2, "batch": 4, "items": 4, "given": 12, "new": 4}
GOAL = 95.0  # per cent of the time


def write_weights(path, end, torch):
    """Random bf16 values after the header, whose numbers repeat after 64 MB, elsewhere in every model."""
    pool = (0.02 * torch.randn(1 << 25)).bfloat16().view(torch.uint8).numpy().tobytes()
    with open(path, "r+b") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        while end > 0:
            file.write(pool[:end])
            end -= len(pool)


def write_tokenizer(folder):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)


def write_search(folder, shapes, sizes, torch):
    """Models, a task and evolve.yaml."""
    torch.manual_seed(1)
    for name in ("base", "a", "b"):
        end = mistral.write_folder(folder / name, shapes)
        write_weights(folder / name / "model.safetensors", end, torch)
        write_tokenizer(folder / name)
    (folder / "task.yaml").write_text(TASK.format(**sizes))
    draw = random.Random(1)
    for split, count in (("train", sizes["items"]), ("validation", 4), ("test", 4)):
        items = [{"id": f"{split}{i}", "context": "".join(draw.choices(string.ascii_lowercase, k=sizes["given"])), "continuation": "-"}
                 for i in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    config = folder / "evolve.yaml"
    config.write_text(CONFIG.format(folder=folder, **sizes))
    return config


class BusyTime:
    """Samples of the share of time in which the GPU had a kernel, while it is entered."""

    def __init__(self, measured):
        self.samples = []
        self.program = measured and subprocess.Popen(
            ["nvidia-smi", "--id=0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200"], stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.program:
            threading.Thread(target=self.read, daemon=True).start()
        return self

    def read(self):
        for line in self.program.stdout:
            if line.strip().isdigit():
                self.samples.append((time.time(), int(line)))

    def __exit__(self, *_):
        if self.program:
            self.program.terminate()

    def between(self, begin, end):
        found = [share for when, share in self.samples if begin <= when <= end]
        return sum(found) / len(found) if found else None


def plan(program, config, gpu_memory, flops, bandwidth):
    command = [program, "plan", config, "--json", "--gpu-memory", f"{gpu_memory / 2**30:.0f}G", "--tflops", f"{flops / 1e12}",
               "--bandwidth", f"{bandwidth / 1e9}"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def evolve(program, config, run_dir):
    subprocess.run([*decoder.launcher(1), program, "evolve", config, "--run-dir", run_dir], check=True, stdout=sys.stderr)
    history = subprocess.run([program, "history", run_dir, "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(history)["islands"][0]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def rows_of(island, foretold, busy):
    # Statistics of the sources are taken with the first generation, and kept.
    later = [one for one in island["candidates"] if one["generation"] > 1 and one["status"] == "evaluated"]
    later = later or island["candidates"]
    merge, evaluation = (mean(one[kind] for one in later) for kind in ("merge_seconds", "evaluation_seconds"))
    begin = datetime.fromisoformat(island["generations"][0]["started"].replace("Z", "+00:00")).timestamp()
    last = island["generations"][-1]
    end = datetime.fromisoformat(last["started"].replace("Z", "+00:00")).timestamp() + last["seconds"]
    yield {"name": "a candidate of a search (rival: plan)", "unit": "s", "galapagos": merge + evaluation, "rival": foretold["seconds_per_candidate"],
           "ratio": foretold["seconds_per_candidate"] / (merge + evaluation)}
    yield {"name": "its merge (rival: plan)", "unit": "s", "galapagos": merge, "rival": foretold["merge_seconds"], "ratio": foretold["merge_seconds"] / merge}
    spent = sum(one["merge_seconds"] + one["evaluation_seconds"] for one in island["candidates"])
    took = sum(generation["seconds"] for generation in island["generations"])
    yield {"name": "time in candidates", "unit": "%", "galapagos": 100 * spent / took, "floor": 100.0}
    share = busy.between(begin + 1, end)
    if share is not None:
        yield {"name": "time with a kernel on the GPU", "unit": "%", "galapagos": share, "floor": 100.0, "goal": GOAL, "met": share >= GOAL}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", type=pathlib.Path, required=True)
    parser.add_argument("--tiny", action="store_true", help="small shapes on the emulated device, to try the bench itself")
    arguments = parser.parse_args()
    import torch

    shapes, sizes, device = (dict(mistral.TINY, vocab_size=288), TINY, "cpu") if arguments.tiny else (mistral.SHAPES, SIZES, "cuda")
    program = arguments.binary_dir / ("tests/emulator/program/src/app/galapagos" if arguments.tiny else "src/app/galapagos")
    gpu_memory = 16 << 30 if arguments.tiny else torch.cuda.get_device_properties(0).total_memory
    flops, bandwidth = decoder.machine(torch, device)
    if device == "cuda":
        torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as temporary:
        needed = 0 if arguments.tiny else 44e9
        if shutil.disk_usage(temporary).free < needed:
            print(f"no search: its models need 44 GB in {temporary} (TMPDIR names another folder)", file=sys.stderr)
            print("[]")
            return
        folder = pathlib.Path(temporary)
        config = write_search(folder, shapes, sizes, torch)
        foretold = plan(program, config, gpu_memory, flops, bandwidth)
        (memory,) = (one for one in foretold["memory"]["widths"] if one["width"] == 1)
        if not memory["fits"]:
            print(f"no search: {memory['why']}", file=sys.stderr)
            print("[]")
            return
        with BusyTime(measured=not arguments.tiny) as busy:
            island = evolve(program, config, folder / "run")
        print(json.dumps(list(rows_of(island, foretold["speed"], busy))))


if __name__ == "__main__":
    sys.exit(main())
