"""A whole candidate: merge three models, answer 64 questions of the quickstart. Ours in memory, within an evolution; the rival lets
mergekit write the model, and transformers load and run it."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))
QUICKSTART = ROOT / "jobs/quickstart"
THREADS = 2
GOALS = {"linear": 2.0, "dare_ties": 5.0, "ties": 10.0}
OUTSIDE_GOAL = 3.0  # per cent

CONFIG = """
galapagos: 1
name: candidate
models: {{base: {base}, sources: [{folder}/maths, {folder}/json]}}
merge: {{method: {method}}}
search:
  genes: {{weight: {{lower: 0.4, upper: 0.8}}{density}}}
  optimizer: {{name: random, population: 3}}
tasks: [{folder}/task.yaml]
evaluation: {{dtype: bf16, max_batch: 32, threads: {threads}}}
islands: {{count: 1}}
budget: {{generations: 1}}
selection: {{finalists: 1}}
"""


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def prepare(program, folder):
    """The two experts as models of their own, and a task of 64 questions; returns the prompts."""
    base = DEPS / "models/smollm2"
    for name in ("maths", "json"):
        recipe = folder / f"{name}.yaml"
        recipe.write_text(f"merge_method: linear\ndtype: bfloat16\nmodels: [{{model: {base}+{QUICKSTART}/experts/{name}, parameters: {{weight: 1}}}}]\n")
        run(program, "merge", recipe, folder / name)
    items = []
    for split in ("train", "validation"):
        items += (QUICKSTART / f"items/{split}.jsonl").read_text().splitlines()
    items = items[:64]
    (folder / "items.jsonl").write_text("\n".join(items) + "\n")
    task = (QUICKSTART / "task.yaml").read_text()
    for split in ("validation", "test"):
        task = task.replace(f"  {split}: items/{split}.jsonl\n", "")
    (folder / "task.yaml").write_text(task.replace("items/train.jsonl", "items.jsonl"))
    return [f"<|im_start|>user\n{json.loads(item)['question']}<|im_end|>\n<|im_start|>assistant\n" for item in items]


def ours(program, folder, method):
    """Seconds a candidate, and the share of the search's time that was neither merge nor evaluation."""
    config = folder / "evolve.yaml"
    density = ", density: {lower: 0.4, upper: 0.8}" if "ties" in method else ""
    config.write_text(CONFIG.format(base=DEPS / "models/smollm2", folder=folder, method=method, density=density, threads=THREADS))
    run_dir = folder / f"run-{method}"
    run(program, "evolve", config, "--run-dir", run_dir)
    [island] = json.loads(run(program, "history", run_dir, "--json"))["islands"]
    busy = [candidate["merge_seconds"] + candidate["evaluation_seconds"] for candidate in island["candidates"]]
    [generation] = island["generations"]
    wall = generation["seconds"]
    return min(busy), 100 * (1 - sum(busy) / wall), run_dir / "best/recipe.yaml"


def rival(recipe, folder, prompts):
    """In mergekit's environment: seconds from the recipe to the answers."""
    import torch
    import yaml
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(THREADS)
    start = time.monotonic()
    run_merge(MergeConfiguration.model_validate(yaml.safe_load(recipe.read_text())), str(folder / "rival"), MergeOptions(quiet=True, copy_tokenizer=True))
    tokenizer = AutoTokenizer.from_pretrained(folder / "rival", padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder / "rival", dtype=torch.bfloat16)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    order = sorted(prompts, key=len)
    for begin in range(0, len(order), 32):
        batch = tokenizer(order[begin:begin + 32], return_tensors="pt", padding=True)
        with torch.inference_mode():
            model.generate(**batch, max_new_tokens=16, do_sample=False, eos_token_id=stop, pad_token_id=tokenizer.pad_token_id)
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir")
    parser.add_argument("--rival", nargs=2, type=pathlib.Path, help="(used by this script) recipe, working folder")
    arguments = parser.parse_args()
    if arguments.rival:
        recipe, folder = arguments.rival
        print(json.dumps(rival(recipe, folder, json.loads((folder / "prompts.json").read_text()))))
        return
    sys.path.insert(0, str(ROOT / "tests/support"))
    from peer_environments import mergekit_python

    python = mergekit_python()
    program = f"{arguments.binary_dir}/src/app/galapagos"
    rows, outside = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "prompts.json").write_text(json.dumps(prepare(program, folder)))
        for method, goal in GOALS.items():
            seconds, idle, recipe = ours(program, folder, method)
            theirs = json.loads(run(python, __file__, "--rival", recipe, folder).splitlines()[-1])
            outside.append(idle)
            ratio = theirs / seconds
            rows.append({"name": f"whole candidate, {method}", "unit": "s", "galapagos": seconds, "rival": theirs, "ratio": ratio,
                         "floor": None, "goal": goal, "met": ratio >= goal})
    rows.append({"name": "search time outside merge and evaluation", "unit": "%", "galapagos": max(outside), "rival": None, "ratio": None,
                 "floor": 0.0, "goal": OUTSIDE_GOAL, "met": max(outside) <= OUTSIDE_GOAL})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
