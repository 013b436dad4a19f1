"""Every merge method in a real search: evolved, and the best recipe merged and exported to the same bits."""

import pytest
import torch
from conftest import CONFIG, run_alone
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

PAIRS = ["slerp", "nearswap", "[slerp, arcee_fusion]"]
# What has no genes of its own is searched beside a method that has some.
METHODS = ["linear", "task_arithmetic", "ties", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties", "della", "della_linear",
           "[model_stock, linear]", "nuslerp", "multislerp", "[karcher, linear]", "sce", "ram", "ramplus_tl", "passthrough", *PAIRS]


def models_of(method, models):
    if method == "passthrough":
        return f"models: {{sources: [{models}/a]}}"
    others = [f"{models}/a"] if method in PAIRS else [f"{models}/a", f"{models}/b"]
    return f"models: {{base: {models}/base, sources: [{', '.join(others)}]}}"


@pytest.mark.parametrize("method", METHODS)
def test_the_best_recipe_is_the_exported_model(tiny, tmp_path, method):
    config = CONFIG.format(models=tiny, islands=1, generations=2, method=method, optimizer="ga")
    lines = [models_of(method, tiny) if line.startswith("models:") else line for line in config.splitlines()]
    (tmp_path / "evolve.yaml").write_text("\n".join(lines))
    run_alone("evolve", tmp_path / "evolve.yaml", "--run-dir", tmp_path / "run")
    run_alone("merge", tmp_path / "run/best/recipe.yaml", tmp_path / "merged")
    run_alone("export", tmp_path / "run", tmp_path / "exported")
    merged, exported, base = (load_file(folder / "model.safetensors") for folder in (tmp_path / "merged", tmp_path / "exported", tiny / "base"))
    assert merged.keys() == exported.keys()
    for name, tensor in merged.items():
        assert torch.equal(tensor, exported[name]) and torch.isfinite(tensor).all(), name
    assert any(not torch.equal(tensor, base[name]) for name, tensor in merged.items())
