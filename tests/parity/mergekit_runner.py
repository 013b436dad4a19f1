"""Runs mergekit on recipes, in the environment that has it: mergekit_runner.py JOBS.json, a list of [recipe, out]."""
import functools
import json
import sys

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge

# mergekit leaves the order of equal magnitudes to an unstable sort; parity needs one that is defined.
torch.argsort = functools.partial(torch.argsort, stable=True)
torch.sort = functools.partial(torch.sort, stable=True)

with open(sys.argv[1]) as file:
    jobs = json.load(file)
for recipe, out in jobs:
    with open(recipe) as file:
        config = MergeConfiguration.model_validate(yaml.safe_load(file))
    run_merge(config, out, MergeOptions(quiet=True, lora_merge_cache=out + ".lora", copy_tokenizer=True))
