"""Generation and scoring on a GPU in the shapes of Mistral-7B, bf16, random weights, against transformers on the same GPU.

On several GPUs two, four and eight of them share the model too (tensor parallelism under mpirun), with both ways to add up their shares; the
rivals of these rows are ours: one GPU, and exact sums.

Floors: products at the rate of the largest one that torch reaches here, weights read once a token at the rate of a copy. Tokens are counted
as in the goals: new ones of generation, including the time for its prompts; all ids of prompts and choices.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import traceback

import mistral

# work: (what it is, what gpu_candidate is told, tokens counted)
WORK = {
    "batch": ("greedy generation, batch 256, 256 in, 256 out", "generate:256:256:256", 256 * 256),
    "prefill": ("prompts, 32 x 1024", "score:32:1024:1", 32 * 1024),
    "choices": ("64 questions of 256 ids, 4 choices of 32", "score:64:256:32:4", 64 * 4 * (256 + 32)),
    "single": ("greedy generation, batch 1, 128 in, 256 out", "generate:1:128:256", 256),
}
TINY = {"batch": ("tiny generation", "generate:4:12:5", 20), "prefill": ("tiny prompts", "score:2:20:1", 40),
        "choices": ("tiny choices", "score:2:12:3:4", 2 * 4 * 15), "single": ("tiny single", "generate:1:6:4", 4)}


def launcher(ranks):
    return [] if ranks == 1 else ["mpirun", "-n", str(ranks), "--oversubscribe", "--bind-to", "none"]


def ours(binary_dir, shapes, work, ranks=1, options=()):
    """Seconds of each work; None where the GPUs' memory is too small."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        mistral.write_folder(folder / "model", shapes)
        recipe = folder / "linear.yaml"
        recipe.write_text(json.dumps({"merge_method": "linear", "dtype": "bfloat16",
                                      "models": [{"model": str(folder / "model"), "parameters": {"weight": 1.0}}]}))
        program = mistral.program(binary_dir, shapes is mistral.TINY)
        return mistral.figures(launcher(ranks) + [program, "decode", *options, recipe] + [f"{name}={told}" for name, (_, told, _) in work.items()])


class Rival:
    def __init__(self, shapes, device):
        import torch
        from transformers import MistralConfig, MistralForCausalLM

        self.torch, self.device = torch, device
        settings = {key: value for key, value in mistral.config(shapes).items() if key not in ("architectures", "model_type", "torch_dtype")}
        with torch.device(device):
            torch.set_default_dtype(torch.bfloat16)
            self.model = MistralForCausalLM(MistralConfig(**settings)).eval()
            torch.set_default_dtype(torch.float32)

    def run(self, told):
        kind, requests, given, new, *choices = told.split(":")
        requests, given, new, rows = int(requests), int(given), int(new), int(requests) * int(choices[0] if choices else 1)
        if kind == "generate":
            ids = self.ids(requests, given)
            return self.model.generate(ids, attention_mask=self.torch.ones_like(ids), do_sample=False, min_new_tokens=new, max_new_tokens=new,
                                       pad_token_id=0, cache_implementation="static")
        for start in range(0, rows, 32):  # a sequence for each choice, logits where the choice is
            ids = self.ids(min(32, rows - start), given + new)
            chances = self.torch.log_softmax(self.model(ids, logits_to_keep=new + 1).logits, -1)
            chances[:, :-1].gather(-1, ids[:, -new:, None]).sum().item()

    def ids(self, *shape):
        return self.torch.randint(3, self.model.config.vocab_size, shape, device=self.device)

    def seconds(self, told):
        with self.torch.inference_mode():
            for _ in range(2):  # the first warms up
                self.finish()
                started = time.perf_counter()
                self.run(told)
                self.finish()
                seconds = time.perf_counter() - started
            return seconds

    def finish(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


def machine(torch, device):
    """Operations a second of a large bf16 product, and bytes a second of a copy."""
    size = 8192 if device == "cuda" else 256
    a, b = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    memory = torch.zeros(size * size * 8, device=device, dtype=torch.uint8)

    def least(body):
        times = []
        for _ in range(10):
            started = time.perf_counter()
            body()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        return min(times)

    return 2 * size**3 / least(lambda: torch.nn.functional.linear(a, b)), 2 * memory.nbytes / least(lambda: memory.clone())


def floors(shapes, work, flops, bandwidth):
    """Seconds that the products and the reading of the weights would take."""
    sizes = {name: shape[0] * shape[1] for name, shape in mistral.tensors(shapes).items() if len(shape) == 2}
    head = sizes["lm_head.weight"]
    layers = sum(size for name, size in sizes.items() if name.startswith("model.layers."))
    kv = 2 * 2 * shapes["num_hidden_layers"] * shapes["num_key_value_heads"] * (shapes["hidden_size"] // shapes["num_attention_heads"])

    def products(tokens, logits):
        return max(2 * (layers * tokens + head * logits) / flops, 2 * (layers + head) / bandwidth)

    found = {}
    for name, (_, told, _) in work.items():
        kind, *numbers = told.split(":")
        requests, given, new, choices = (*map(int, numbers), 1)[:4]
        if kind == "generate":
            read = sum(kv * requests * (given + i) for i in range(1, new)) / bandwidth  # keys and values
            found[name] = products(requests * given, requests) + (new - 1) * products(requests, requests) + read
        else:
            found[name] = products(requests * (given + choices * (new - 1)), requests * choices * new)
    return found


def rows_of_ranks(binary_dir, shapes, work, one, widths):
    """Of works that keep several GPUs busy; `one`: seconds on one, if that holds them."""
    work = {name: work[name] for name in ("batch", "prefill")}
    for width in widths:
        exact = ours(binary_dir, shapes, work, width)
        fast = ours(binary_dir, shapes, work, width, ["--reductions=fast"])
        for name, (what, _, tokens) in work.items():
            for kind, mine, his in (("exact", exact, one), ("fast", fast, exact)):
                row = {"name": f"{what}, {width} GPUs, {kind} sums", "unit": "tokens/s", "galapagos": mine and tokens / mine[name],
                       "rival": his and tokens / his[name]}
                yield {**row, "ratio": his[name] / mine[name]} if mine and his else row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", type=pathlib.Path, required=True)
    parser.add_argument("--tiny", action="store_true", help="small shapes on the emulated device, to try the bench itself")
    arguments = parser.parse_args()
    shapes, work, device = (mistral.TINY, TINY, "cpu") if arguments.tiny else (mistral.SHAPES, WORK, "cuda")
    import torch

    mine = ours(arguments.binary_dir, shapes, work)
    flops, bandwidth = machine(torch, device)
    least = floors(shapes, work, flops, bandwidth)
    # Wanted: tokens a second on an H200 (an H100 reaches 12,000), shares of the products' rate and of the bandwidth.
    h200 = device == "cuda" and "H200" in torch.cuda.get_device_name()
    goals = {"batch": 14000 if h200 else 12000, "prefill": 0.6, "single": 0.7}
    rows = []
    rival = None
    for name, (what, told, tokens) in work.items():
        row = {"name": what, "unit": "tokens/s", "galapagos": mine and tokens / mine[name], "floor": tokens / least[name]}
        try:
            rival = rival or Rival(shapes, device)
            row["rival"] = tokens / rival.seconds(told)
            row["ratio"] = mine and row["galapagos"] / row["rival"]
        except Exception:  # what it compiles on the spot needs what not every machine has (Python.h), it all memory: our figures stand
            traceback.print_exc()
        if mine and name in goals and device == "cuda":
            row["goal"] = goals[name] if goals[name] > 1 else goals[name] * row["floor"]
            row["met"] = row["galapagos"] >= row["goal"]
        rows.append(row)
    widths = [2] if arguments.tiny else [width for width in (2, 4, 8) if width <= torch.cuda.device_count()]
    rival = None  # and its memory
    if device == "cuda":
        torch.cuda.empty_cache()
    rows += rows_of_ranks(arguments.binary_dir, shapes, work, mine, widths)
    rows.append({"name": "products (the floor's)", "unit": "TFLOPS", "rival": flops / 1e12})
    rows.append({"name": "copy (the floor's)", "unit": "GB/s", "rival": bandwidth / 1e9})
    print(json.dumps(rows))


if __name__ == "__main__":
    sys.exit(main())
