"""Writes mergekit.json: what mergekit 0.1.5 makes of small float32 tensors.

Run it in an environment that has mergekit==0.1.5 (tests/parity/mergekit_test.py makes one):

    python make_golden.py mergekit.json

Every case is a recipe over the models base, A, B, C (close to each other, as fine-tuned models are), F1, F2 (unrelated) and
grid, Q, R (multiples of 1/64, so that magnitudes tie). Each model has a single tensor of 6 x 10 elements:
u(seed) is a linear congruential sequence in [-0.5, 0.5), and
base = 0.1 u(1), A = base + 0.02 u(2), B = base + 0.02 u(3), C = base + 0.03 u(4), F1 = u(5), F2 = u(6),
grid = round(4 u(7)) / 64, Q = grid + round(4 u(8)) / 64, R = grid + round(4 u(9)) / 64, base_scaled = 1.5 base.

mergekit sorts magnitudes with torch.argsort, which promises no order of equal elements (and uses none with AVX-512): it is
asked for a stable sort here.
"""

import functools
import json
import sys

import torch
import yaml
from mergekit import merge_methods
from mergekit.config import evaluate_setting
from mergekit.merge_methods.base import ParameterScope, TensorGroup
from mergekit.sparsify import RescaleNorm, rescaled_masked_tensor

torch.argsort = functools.partial(torch.argsort, stable=True)
ROWS, COLUMNS = 6, 10


def u(seed):
    values, x = [], seed
    for _ in range(ROWS * COLUMNS):
        x = (1664525 * x + 1013904223) % 2**32
        values.append(x / 2**32 - 0.5)
    return torch.tensor(values, dtype=torch.float64).to(torch.float32).reshape(ROWS, COLUMNS)


def models():
    base = 0.1 * u(1)
    grid = torch.round(4 * u(7)) / 64
    return {
        "base": base,
        "A": base + 0.02 * u(2),
        "B": base + 0.02 * u(3),
        "C": base + 0.03 * u(4),
        "F1": u(5),
        "F2": u(6),
        "grid": grid,
        "Q": grid + torch.round(4 * u(8)) / 64,
        "R": grid + torch.round(4 * u(9)) / 64,
    }


def entry(model, **parameters):
    return {"model": model, "parameters": parameters}


def abc(**densities):
    weights = {"A": 0.5, "B": 0.3, "C": 0.8}
    return [
        entry(m, weight=w, **({"density": densities[m]} if m in densities else {}))
        for m, w in weights.items()
    ]


SPARSE = {"A": 0.5, "B": 0.7, "C": 0.3}


def recipe(method, entries, base=None, **parameters):
    result = {"merge_method": method, "models": entries}
    if base:
        result["base_model"] = base
    if parameters:
        result["parameters"] = parameters
    return result


RECIPES = {
    "linear": recipe("linear", abc()),
    "linear_sum": recipe("linear", abc(), normalize=False),
    "linear_negative": recipe("linear", [entry("A", weight=1.5), entry("F1", weight=-0.25)]),
    "slerp_sine": recipe("slerp", [{"model": "F1"}, {"model": "F2"}], "F1", t=0.3),
    "slerp_base_last": recipe("slerp", [{"model": "F1"}, {"model": "F2"}], "F2", t=0.3),
    "slerp_base_unlisted": recipe("slerp", [{"model": "F2"}], "F1", t=0.8),
    "slerp_linear": recipe("slerp", [{"model": "base"}, {"model": "R"}], "R", t=0.6),
    "slerp_parallel": recipe("slerp", [{"model": "base"}, {"model": "base_scaled"}], "base", t=0.25),
    "task_arithmetic": recipe("task_arithmetic", abc(), "base"),
    "task_arithmetic_mean": recipe("task_arithmetic", abc(), "base", normalize=True),
    "task_arithmetic_lambda": recipe("task_arithmetic", abc(), "base", **{"lambda": 0.7}),
    "task_arithmetic_cancel": recipe(
        "task_arithmetic", [entry("A", weight=1.0), entry("B", weight=-1.0)], "base", normalize=True
    ),
    "task_arithmetic_base_listed": recipe(
        "task_arithmetic", [entry("base", weight=7.0), entry("A", weight=0.5)], "base"
    ),
    "ties": recipe("ties", abc(**SPARSE), "base"),
    "ties_sum": recipe("ties", abc(**SPARSE), "base", normalize=False),
    "ties_dense": recipe("ties", abc(), "base"),
    "ties_rescale": recipe("ties", abc(**SPARSE), "base", rescale=True, **{"lambda": 1.3}),
    "ties_negative": recipe(
        "ties",
        [entry("A", weight=-0.4, density=0.6), entry("B", weight=0.3, density=0.5), entry("C", weight=0.8, density=0.9)],
        "base",
        int8_mask=True,
    ),
    "ties_one_element": recipe("ties", [entry("A", weight=0.5, density=0.001), entry("B", weight=0.5, density=0.02)], "base"),
    "ties_nothing": recipe("ties", [entry("A", weight=0.5, density=0.0), entry("B", weight=0.5, density=0.5)], "base"),
    "ties_ties": recipe(
        "ties", [entry("Q", weight=0.5, density=0.35), entry("R", weight=0.4, density=0.6)], "grid", rescale=True
    ),
    "dare_ties_dense": recipe("dare_ties", abc(), "base"),
    "breadcrumbs": recipe("breadcrumbs", abc(**SPARSE), "base", gamma=0.1),
    "breadcrumbs_default_gamma": recipe("breadcrumbs", abc(**SPARSE), "base"),
    "breadcrumbs_rescale": recipe(
        "breadcrumbs", [entry("A", weight=0.5, density=0.6, gamma=0.2), entry("B", weight=-0.3, density=0.95, gamma=0.2)],
        "base", rescale=True, normalize=True,
    ),
    "breadcrumbs_ties": recipe("breadcrumbs_ties", abc(**SPARSE), "base", gamma=0.05, normalize=True),
    "breadcrumbs_ties_sum": recipe("breadcrumbs_ties", abc(**SPARSE), "base", gamma=0.07, **{"lambda": 1.2}),
    "della_dense": recipe("della", abc(), "base"),
    "della_linear_dense": recipe("della_linear", abc(), "base"),
    "model_stock": recipe("model_stock", [{"model": m} for m in "ABC"], "base"),
    "model_stock_rows": recipe("model_stock", [{"model": m} for m in "ABC"], "base", filter_wise=True),
    "model_stock_two": recipe("model_stock", [{"model": "Q"}, {"model": "R"}], "grid"),
    "nuslerp": recipe("nuslerp", [entry("F1", weight=0.6), entry("F2", weight=0.9)]),
    "nuslerp_rows": recipe("nuslerp", [entry("F1", weight=0.6), entry("F2", weight=0.9)], nuslerp_flatten=False),
    "nuslerp_columns": recipe(
        "nuslerp", [entry("F1", weight=0.6), entry("F2", weight=0.9)], nuslerp_flatten=False, nuslerp_row_wise=True
    ),
    "nuslerp_deltas": recipe("nuslerp", [entry("A", weight=0.3), entry("C", weight=0.8)], "base"),
    "nuslerp_deltas_rows": recipe("nuslerp", [entry("A", weight=1), entry("B", weight=-1)], "base", nuslerp_flatten=False),
    "multislerp": recipe("multislerp", [entry("F1", weight=0.6), entry("F2", weight=0.9), entry("A", weight=0.2)]),
    "multislerp_deltas": recipe("multislerp", abc(), "base", normalize_weights=False),
    "multislerp_one": recipe("multislerp", [entry("A", weight=0.4)], "base"),
    "karcher": recipe("karcher", [{"model": "F1"}, {"model": "F2"}, {"model": "A"}]),
    "karcher_steps": recipe("karcher", [{"model": "F1"}, {"model": "F2"}, {"model": "Q"}], max_iter=2, tol=1e-3),
    "sce": recipe("sce", [{"model": m} for m in "ABC"], "base"),
    "sce_topk": recipe("sce", [{"model": m} for m in "ABC"], "base", select_topk=0.35),
    "sce_large": recipe("sce", [{"model": "F1"}, {"model": "F2"}], "base", select_topk=0.8, int8_mask=True),
    "ram": recipe("ram", [{"model": m} for m in "ABC"], "base", epsilon=0.004),
    "ram_default": recipe("ram", [{"model": "Q"}, {"model": "R"}], "grid"),
    "ramplus_tl": recipe("ramplus_tl", [{"model": "Q"}, {"model": "R"}, {"model": "A"}], "grid", epsilon=0.02, r=0.4, alpha=1.5),
    "arcee_fusion": recipe("arcee_fusion", [{"model": "F2"}], "F1"),
    "nearswap": recipe("nearswap", [{"model": "A"}], "base", t=0.003),
    "nearswap_ties": recipe("nearswap", [{"model": "Q"}], "grid", t=0.02),
    "passthrough": recipe("passthrough", [{"model": "A"}]),
    "passthrough_scale": recipe("passthrough", [entry("A", scale=0.4)]),
    "dare_linear_dense": recipe("dare_linear", abc(), "base"),
}


def run(description, tensors):
    base = description.get("base_model")
    entries = list(description["models"])
    if base and all(e["model"] != base for e in entries):
        entries.append({"model": base})
    method = merge_methods.get(description["merge_method"])
    shared = description.get("parameters", {})
    parameters = {}
    for p in method.spec.parameters:
        if p.scope == ParameterScope.SHARED:
            if p.name in shared:
                parameters[p.name] = shared[p.name]
            continue
        entries_of = [e for e in entries if p.scope == ParameterScope.INPUT or e["model"] != base]
        values = {
            e["model"]: evaluate_setting("", {**shared, **e.get("parameters", {})}[p.name], validate=p.validate)
            for e in entries_of
            if p.name in {**shared, **e.get("parameters", {})}
        }
        if values:
            fallback = {e["model"]: p.default for e in entries_of if not p.required}
            parameters[p.name] = {**fallback, **values}
    ids = [e["model"] for e in entries]
    group = TensorGroup.from_tensors(
        [tensors[name] for name in ids],
        ids=ids,
        base_index=ids.index(base) if base and method.spec.contract.base.value != "ignored" else None,
    )
    (result,) = method((group,), parameters=parameters)
    return result


def main(path):
    tensors = models()
    tensors["base_scaled"] = 1.5 * tensors["base"]
    cases = []
    for name, description in RECIPES.items():
        out = run(description, tensors)
        cases.append(
            {"name": name, "recipe": yaml.safe_dump(description, sort_keys=False), "out": out.flatten().tolist()}
        )
    mask = torch.tensor([1.0 if 7 * i % 10 < 6 else 0.0 for i in range(ROWS * COLUMNS)]).reshape(ROWS, COLUMNS)
    delta = tensors["A"] - tensors["base"]
    masked = rescaled_masked_tensor(delta, mask, RescaleNorm.l1)
    with open(path, "w") as file:
        file.write('{"source": "mergekit 0.1.5, torch %s", "rows": %d, "columns": %d,\n' % (torch.__version__, ROWS, COLUMNS))
        file.write('"rescaled_delta_of_A_with_mask_7i_mod_10_below_6": %s,\n' % json.dumps(masked.flatten().tolist()))
        file.write('"models": {\n')
        file.write(",\n".join('"%s": %s' % (k, json.dumps(v.flatten().tolist())) for k, v in tensors.items()))
        file.write('},\n"cases": [\n')
        file.write(",\n".join(json.dumps(case) for case in cases))
        file.write("\n]}\n")


main(sys.argv[1])
