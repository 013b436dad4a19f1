"""Merges of candidates on a GPU in the shapes of Mistral-7B, bf16, sources resident, against the same formulas in torch, tensor by tensor.

Floor: every source read once and the candidate written once at the rate of a copy on this GPU, measured in the same run.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import mistral

MODELS = (("a", 0.5, 0.6), ("b", 0.3, 0.5), ("c", 0.4, 0.7))  # name, weight, density
# method: (has a base, models, parameters, share of the copy's rate that is wanted in %)
METHODS = {
    "ties": (True, 3, {}, 60),
    "dare_ties": (True, 3, {}, 60),
    "task_arithmetic": (True, 3, {}, 80),
    "linear": (False, 3, {}, 80),
    "slerp": (True, 1, {"t": 0.4}, None),
    "dare_linear": (True, 3, {}, None),
    "breadcrumbs_ties": (True, 3, {}, None),
    "della": (True, 3, {}, None),
    "model_stock": (True, 3, {}, None),
    "karcher": (False, 3, {}, None),
    "sce": (True, 3, {"select_topk": 0.5}, None),
    "arcee_fusion": (True, 1, {}, None),
}

RANKED = {"della"}


def write_recipe(folder, method):
    based, count, parameters, _ = METHODS[method]
    recipe = {"merge_method": method, "dtype": "bfloat16", "parameters": parameters,
              "models": [{"model": str(folder / name), "parameters": {"weight": weight, "density": density}} for name, weight, density in MODELS[:count]]}
    if based:
        recipe["base_model"] = str(folder / "base")
    path = folder / f"{method}.yaml"
    path.write_text(json.dumps(recipe))  # which is YAML too
    return path


def rival_merge(torch, method, base, sources):
    """One tensor, as mergekit computes it."""
    weights = [weight for _, weight, _ in MODELS]
    densities = [density for _, _, density in MODELS]
    if method == "linear":
        total = sum(weight * source.float() for weight, source in zip(weights, sources))
        return (total / sum(weights)).to(base.dtype)
    if method == "slerp":
        return slerp(torch, base.float(), sources[0].float(), 0.4).to(base.dtype)
    deltas = [source - base for source in sources]
    if method == "ties":
        deltas = [keep_largest(torch, delta, density) for delta, density in zip(deltas, densities)]
    if method.startswith("dare"):
        deltas = [delta * torch.bernoulli(torch.full_like(delta, density)) / density for delta, density in zip(deltas, densities)]
    weighted = torch.stack([weight * delta for weight, delta in zip(weights, deltas)])
    if method.endswith("ties"):
        sign = (weighted.sum(0) >= 0) * 2 - 1
        agree = weighted.sign() == sign
        shape = (-1,) + (1,) * base.dim()
        divisor = (torch.tensor(weights, device=base.device, dtype=base.dtype).view(shape) * agree).sum(0)
        divisor[divisor.abs() < 1e-8] = 1
        return base + (weighted * agree).sum(0) / divisor
    return base + weighted.sum(0)


def keep_largest(torch, delta, density):
    mask = torch.zeros_like(delta)
    kept = max(1, int(density * delta.numel()))
    mask.view(-1)[torch.topk(delta.abs().view(-1), kept).indices] = 1
    return delta * mask


def slerp(torch, a, b, t):
    unit_a, unit_b = a / a.norm(), b / b.norm()
    dot = (unit_a * unit_b).sum()
    angle = torch.arccos(dot.clamp(-1, 1))
    return torch.sin((1 - t) * angle) / torch.sin(angle) * a + torch.sin(t * angle) / torch.sin(angle) * b


RIVALS = ("ties", "dare_ties", "task_arithmetic", "linear", "slerp", "dare_linear")


def rival(shapes, methods, device):
    """{method: seconds}. A layer's tensors stand for those of all layers: the rest would only repeat them."""
    import torch

    def synchronize():
        if device == "cuda":
            torch.cuda.synchronize()

    def layer_of(name):
        return int(name.split(".")[2]) if name.startswith("model.layers.") else 0

    layers = shapes["num_hidden_layers"]
    once = {name: shape for name, shape in mistral.tensors(shapes).items() if layer_of(name) == 0}
    loaded = {name: [(torch.randn(shape, device=device) * 0.02).bfloat16() for _ in range(len(MODELS) + 1)] for name, shape in once.items()}
    result = {}
    for method in (method for method in methods if method in RIVALS):
        count = METHODS[method][1]
        for rounds in (1, 2):  # the first warms up
            seconds = 0.0
            for name, (base, *sources) in loaded.items():
                synchronize()
                started = time.perf_counter()
                rival_merge(torch, method, base, sources[:count])
                synchronize()
                seconds += (time.perf_counter() - started) * (layers if name.startswith("model.layers.") else 1)
        result[method] = seconds
    loaded.clear()
    base = sources = None
    if device == "cuda":
        torch.cuda.empty_cache()  # ours needs the room
    return result


def rows_of(method, figures, rival_seconds, copy, model_bytes):
    based, count, _, goal = METHODS[method]
    floor = (count + based + 1) * model_bytes * copy
    seconds = figures["again"]
    yield {"name": f"merge {method}", "unit": "s", "galapagos": seconds, "rival": rival_seconds,
           "ratio": rival_seconds and rival_seconds / seconds, "floor": floor, "goal": goal and floor * 100 / goal,
           "met": seconds <= floor * 100 / goal if goal else None}
    yield {"name": f"merge {method}, the first with statistics", "unit": "s", "galapagos": figures["first"], "floor": floor}
    yield {"name": f"merge {method}, host's share", "unit": "s", "galapagos": figures["queued"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", type=pathlib.Path, required=True)
    parser.add_argument("--tiny", action="store_true", help="small shapes on the emulated device, to try the bench itself")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    arguments = parser.parse_args()
    shapes = mistral.TINY if arguments.tiny else mistral.SHAPES
    theirs = rival(shapes, arguments.methods, "cpu" if arguments.tiny else "cuda")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in ("base", *(name for name, _, _ in MODELS)):
            model_bytes = mistral.write_folder(folder / name, shapes)
        recipes = {method: write_recipe(folder, method) for method in arguments.methods}
        # By itself what keeps a rank for each element.
        for group in ([method for method in recipes if method not in RANKED], [method for method in recipes if method in RANKED]):
            if not group:
                continue
            # {recipe: figures}, "copy" and "load"
            ours = mistral.figures([mistral.program(arguments.binary_dir, arguments.tiny), "merge", *(recipes[method] for method in group)])
            if ours is None:
                rows += [{"name": f"merge {method}", "unit": "s"} for method in group]
                continue
            for method in group:
                rows += rows_of(method, ours[str(recipes[method])], theirs.get(method), ours["copy"], model_bytes)
            if group[0] not in RANKED:
                rows.append({"name": "sources to the GPU", "unit": "GB/s", "galapagos": (1 + len(MODELS)) * model_bytes / ours["load"] / 1e9})
    print(json.dumps(rows))


if __name__ == "__main__":
    sys.exit(main())
