"""Scoring and generation on the shapes of SmolLM2-135M, two threads, against transformers; tensor parallel against one rank.

Tokens a second, in bf16 and in fp32: a processor without bf16 instructions makes libtorch's bf16 products slower than its fp32 ones. The floor is the most that this machine allows: the products at the rate of a large one, or the weights read once a
token, both measured in the same run. Rounds of ours and the rival's alternate, and the best of each counts; work that takes the rival half a minute is done
once.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))
MODEL = DEPS / "models/smollm2"
THREADS = 2
ROUNDS = 2
LONG = 30  # seconds
# work: (what it is, tokens counted, goal)
WORK = {
    "score": ("scoring 8 x 128, all logits", 8 * 128, 1.3),
    "choices": ("4 choices, prefix of 3 times their length", 2 * 4 * 128, 3.0),
    "generate": ("greedy generation, batch 32", 32 * 48, 2.5),
    "single": ("greedy generation, batch 1", 48, 3.0),
}
TENSOR_PARALLEL_GOAL = 0.9


def threads_for(clock):
    return THREADS if clock == "wall" else 1


def ours(binary_dir, dtype, work, ranks=1, clock="wall"):
    threads = threads_for(clock) // ranks
    command = [f"{binary_dir}/tests/bench/decoder", MODEL, {"bfloat16": "BF16", "float32": "F32"}[dtype], threads, 1, clock, work]
    if ranks > 1:
        command = ["mpirun", "-n", ranks, "--oversubscribe", "--bind-to", "none"] + command
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    printed = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return json.loads(printed.splitlines()[-1])[work]


class Rival:
    def __init__(self, dtype, clock):
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(threads_for(clock))
        self.now = time.perf_counter if clock == "wall" else time.process_time
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=getattr(torch, dtype)).eval()

    def ids(self, *shape):
        return self.torch.randint(self.model.config.vocab_size, shape, generator=self.torch.Generator().manual_seed(1))

    def score(self):
        ids = self.ids(8, 128)
        chances = self.torch.log_softmax(self.model(ids).logits, -1)
        return chances[:, :-1].gather(-1, ids[:, 1:, None])

    def choices(self):
        # A sequence for each choice, as lm-eval does; its logits are needed where the choice is.
        ids = self.ids(8, 128)
        chances = self.torch.log_softmax(self.model(ids, logits_to_keep=33).logits, -1)
        return chances[:, :-1].gather(-1, ids[:, -32:, None])

    def generation(self, batch):
        ids = self.ids(batch, 64)
        return self.model.generate(ids, attention_mask=self.torch.ones_like(ids), do_sample=False, min_new_tokens=48, max_new_tokens=48,
                                   pad_token_id=0)

    def generate(self):
        return self.generation(32)

    def single(self):
        return self.generation(1)

    def seconds(self, work):
        with self.torch.inference_mode():
            started = self.now()
            getattr(self, work)()
            return self.now() - started


def machine(torch, now):
    """Multiply-adds a second times two of a large product, and bytes a second of reading."""

    def least(body):
        times = []
        for _ in range(3):
            started = now()
            body()
            times.append(now() - started)
        return min(times)

    rates = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
        rates.append(2 * 2048**3 / least(lambda: torch.nn.functional.linear(a, b)))
    memory = torch.zeros(1 << 27)
    return {"bfloat16": max(rates), "float32": rates[0]}, memory.nbytes / least(memory.sum)


def floors(config, flops, bandwidth, width):
    """Tokens a second of each work, were every product as fast as a large one and every weight read at full bandwidth."""
    hidden, heads, kv_heads = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
    attention = hidden * hidden * (2 + 2 * kv_heads / heads)
    layers = config.num_hidden_layers * (attention + 3 * hidden * config.intermediate_size)
    head = config.vocab_size * hidden

    def seconds(tokens, logits):
        return 2 * (layers * tokens + head * logits) / flops

    step = max(seconds(32, 32), width * (layers + head) / bandwidth)
    return {
        "score": 1024 / seconds(1024, 1024),
        "choices": 1024 / seconds(2 * (96 + 4 * 31), 2 * 4 * 32),
        "generate": 32 * 48 / (seconds(32 * 64, 32) + 47 * step),
        "single": 48 / (seconds(64, 1) + 47 * width * (layers + head) / bandwidth),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", required=True)
    parser.add_argument("--dtypes", nargs="*", default=["bfloat16", "float32"])
    parser.add_argument("--work", nargs="*", default=list(WORK), choices=list(WORK))
    parser.add_argument("--cpu-time", action="store_true", help="for busy machines: one thread each, by its time on the processor; no tensor parallelism")
    arguments = parser.parse_args()
    clock = "cpu" if arguments.cpu_time else "wall"
    binary_dir = arguments.binary_dir
    rows = []

    def add(name, mine, his, floor, goal):
        ratio = mine / his
        rows.append({"name": name, "unit": "tokens/s", "galapagos": mine, "rival": his, "ratio": ratio, "floor": floor, "goal": goal,
                     "met": ratio >= goal})

    limits = {}
    for dtype in arguments.dtypes:
        rival = Rival(dtype, clock)
        rates, bandwidth = machine(rival.torch, rival.now)
        limits[dtype] = floors(rival.model.config, rates[dtype], bandwidth, rival.model.dtype.itemsize)
        for work in arguments.work:
            name, tokens, goal = WORK[work]
            mine, his = [], []
            while len(mine) < ROUNDS and (not his or his[0] < LONG):
                mine.append(ours(binary_dir, dtype, work, clock=clock))
                his.append(rival.seconds(work))
                print(f"{name}, {dtype}: {mine[-1]:.2f} s, rival {his[-1]:.2f} s", file=sys.stderr, flush=True)
            add(f"{name}, {dtype}", tokens / min(mine), tokens / min(his), limits[dtype][work], goal)
    dtype = arguments.dtypes[0]
    for work in () if arguments.cpu_time else ("score", "generate"):
        name, tokens, _ = WORK[work]
        mine, his = [], []
        for _ in range(ROUNDS):
            mine.append(ours(binary_dir, dtype, work, ranks=THREADS))
            his.append(ours(binary_dir, dtype, work))
        add(f"{name}, {THREADS} ranks against {THREADS} threads", tokens / min(mine), tokens / min(his), limits[dtype][work],
            TENSOR_PARALLEL_GOAL)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
