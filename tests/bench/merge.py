"""Merging on the shapes of SmolLM2-135M, bf16, two threads, against mergekit 0.1.5.

A candidate: sources resident, into memory; mergekit's methods called in its own process on tensors in memory. Its floor is one pass over
the bytes at the rate of a memory copy, measured in the same run. A cold merge: files in, files out; `galapagos merge` and mergekit-yaml as
programs.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))
THREADS = 2
GOALS = {"linear": 1.5, "task_arithmetic": 1.5, "slerp": 3.0, "ties": 3.0, "dare_ties": 3.0}  # times the floor
COLD_GOAL = 5.0

WEIGHTED = "models:\n" + "".join(f"  - {{{{model: {{dir}}/{m}, parameters: {{{{weight: {w}, density: {d}}}}}}}}}\n" for m, w, d in
                                 (("a", 0.5, 0.6), ("b", 0.3, 0.5), ("c", 0.4, 0.7)))
PAIR = "models:\n  - {{model: {dir}/a, parameters: {{weight: 0.6}}}}\n  - {{model: {dir}/b, parameters: {{weight: 0.4}}}}\n"
OTHER = "models: [{{model: {dir}/a}}]\n"
# method: (with a base, models, parameters)
METHODS = {
    "linear": (False, WEIGHTED, ""),
    "slerp": (True, OTHER, "parameters: {{t: 0.4}}\n"),
    "task_arithmetic": (True, WEIGHTED, ""),
    "ties": (True, WEIGHTED, ""),
    "dare_linear": (True, WEIGHTED, ""),
    "dare_ties": (True, WEIGHTED, ""),
    "breadcrumbs": (True, WEIGHTED, ""),
    "breadcrumbs_ties": (True, WEIGHTED, ""),
    "della": (True, WEIGHTED, ""),
    "della_linear": (True, WEIGHTED, ""),
    "model_stock": (True, WEIGHTED, ""),
    "nuslerp": (False, PAIR, ""),
    "multislerp": (False, WEIGHTED, ""),
    "karcher": (False, WEIGHTED, ""),
    "sce": (True, WEIGHTED, "parameters: {{select_topk: 0.5}}\n"),
    "ram": (True, WEIGHTED, ""),
    "ramplus_tl": (True, WEIGHTED, ""),
    "arcee_fusion": (True, OTHER, ""),
    "nearswap": (True, OTHER, "parameters: {{t: 0.001}}\n"),
    "passthrough": (False, OTHER, ""),
}


def make_models(folder):
    import torch
    from safetensors.torch import load_file, save_file

    base = DEPS / "models/smollm2"
    weights = load_file(base / "model.safetensors")
    for seed, name in enumerate("abc", start=1):
        (folder / name).mkdir()
        generator = torch.Generator().manual_seed(seed)
        changed = {key: (value.float() + 0.02 * value.float().std() * torch.randn(value.shape, generator=generator)).to(value.dtype)
                   for key, value in weights.items()}
        save_file(changed, folder / name / "model.safetensors", metadata={"format": "pt"})
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            if (base / file).exists():
                (folder / name / file).write_bytes((base / file).read_bytes())


def write_recipe(folder, method):
    based, models, parameters = METHODS[method]
    base = f"base_model: {DEPS / 'models/smollm2'}\n" if based else ""
    path = folder / f"{method}.yaml"
    path.write_text(f"merge_method: {method}\n" + base + (models + parameters).format(dir=folder) + "dtype: bfloat16\n")
    return path


def rival_in_process(recipes, by_cpu):
    """In mergekit's environment: seconds of one merge of every tensor, held in memory; prints {recipe: seconds}."""
    import torch
    import yaml
    from mergekit import merge_methods
    from mergekit.config import evaluate_setting
    from mergekit.merge_methods.base import ParameterScope, TensorGroup
    from safetensors.torch import load_file

    torch.set_num_threads(1 if by_cpu else THREADS)
    now = time.process_time if by_cpu else time.perf_counter
    loaded, result = {}, {}
    for path in recipes:
        recipe = yaml.safe_load(pathlib.Path(path).read_text())
        base, shared = recipe.get("base_model"), recipe.get("parameters", {})
        entries = recipe["models"] + ([{"model": base}] if base else [])
        names = [entry["model"] for entry in entries]
        for name in names:
            if name not in loaded:
                loaded[name] = load_file(pathlib.Path(name) / "model.safetensors")
        method = merge_methods.get(recipe["merge_method"])
        parameters = {}
        for p in method.spec.parameters:
            if p.scope == ParameterScope.SHARED:
                if p.name in shared:
                    parameters[p.name] = shared[p.name]
                continue
            inputs = [e for e in entries if p.scope == ParameterScope.INPUT or e["model"] != base]
            parameters[p.name] = {e["model"]: evaluate_setting("", e["parameters"][p.name], validate=p.validate)
                                  if p.name in e.get("parameters", {}) else p.default for e in inputs}
        base_index = names.index(base) if base and method.spec.contract.base.value != "ignored" else None
        started = now()
        for key in loaded[names[0]]:
            group = TensorGroup.from_tensors([loaded[name][key] for name in names], ids=names, base_index=base_index)
            method((group,), parameters=parameters)
        result[path] = now() - started
    print(json.dumps(result))


def seconds_of(command, environment, by_cpu):
    def now():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime if by_cpu else time.perf_counter()

    started = now()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    return now() - started


def row(name, ours, theirs, floor, goal, met):
    return {"name": name, "unit": "s", "galapagos": ours, "rival": theirs, "ratio": theirs / ours, "floor": floor, "goal": goal, "met": met}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", type=pathlib.Path)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--rival", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--cpu-time", action="store_true", help="for busy machines: one thread each, by its time on the processor")
    arguments = parser.parse_args()
    by_cpu = arguments.cpu_time
    if arguments.rival is not None:
        return rival_in_process(arguments.rival, by_cpu)
    sys.path.insert(0, str(ROOT / "tests/support"))
    from peer_environments import mergekit_python

    python = mergekit_python()
    environment = dict(os.environ, OMP_NUM_THREADS=str(1 if by_cpu else THREADS), HF_HUB_OFFLINE="1")
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make_models(folder)
        recipes = {method: write_recipe(folder, method) for method in arguments.methods}

        def output(*command):
            done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, env=environment)
            return json.loads(done.stdout.splitlines()[-1])

        ours = output(arguments.binary_dir / "tests/bench/merge", 1 if by_cpu else THREADS, "cpu" if by_cpu else "wall", *recipes.values())
        theirs = output(python, __file__, *["--cpu-time"] * by_cpu, "--rival", *recipes.values())
        model_bytes = (DEPS / "models/smollm2/model.safetensors").stat().st_size
        for method, path in recipes.items():
            based, models, _ = METHODS[method]
            floor = (models.count("model:") + based + 1) * model_bytes * ours["copy"]
            goal = method in GOALS and GOALS[method] * floor
            seconds = ours[str(path)]
            rows.append(row(f"candidate {method}", seconds, theirs[str(path)], floor, goal or None, seconds <= goal if goal else None))
        for method, path in recipes.items():
            mine = seconds_of([arguments.binary_dir / "src/app/galapagos", "merge", path, folder / "ours"], environment, by_cpu)
            his = seconds_of([python.with_name("mergekit-yaml"), path, folder / "theirs"], environment, by_cpu)
            for made in ("ours", "theirs"):
                subprocess.run(["rm", "-r", folder / made], check=True)
            rows.append(row(f"cold {method}", mine, his, None, COLD_GOAL, his / mine >= COLD_GOAL))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
