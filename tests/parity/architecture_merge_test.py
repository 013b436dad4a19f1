"""Merges of every architecture: against mergekit where it takes the models, and loaded in transformers without a tensor too few or too many.
The models lie in several files, every other one has tied embeddings, and they say how to generate.
"""

import pytest
import torch
import transformers
from mergekit_test import merge_both, mergekit_python, run, tensors_of, PROGRAM  # noqa: F401 (a fixture)
from tiny_decoders import GPT2, SIZES
from transformers import AutoModelForCausalLM

pytestmark = pytest.mark.slow

ARCHITECTURES = {
    "llama": SIZES,
    "mistral": dict(SIZES, sliding_window=7, tie_word_embeddings=True),
    "qwen2": dict(SIZES, tie_word_embeddings=True),
    "qwen3": dict(SIZES, head_dim=16),
    "gemma2": dict(SIZES, head_dim=8, tie_word_embeddings=True),
    "gemma3_text": dict(SIZES, head_dim=16, sliding_window_pattern=2, tie_word_embeddings=True),
    "phi3": SIZES,
    "gpt2": GPT2,
    "gpt_neox": {key: value for key, value in SIZES.items() if key != "num_key_value_heads"},
    # transformers multiplies by all experts together, which wants rows of whole 16 bytes.
    "mixtral": dict(SIZES, intermediate_size=64, num_local_experts=4),
}
BASE = "base_model: {dir}/base\n"
MODELS = ("models: [{{model: {dir}/a, parameters: {{weight: 0.6, density: 0.5}}}}, {{model: {dir}/b, parameters: {{weight: 0.4, density: 0.7}}}}]\n"
          "dtype: float32\n")
RECIPES = {
    "linear": "merge_method: linear\n" + MODELS,
    "ties": "merge_method: ties\n" + BASE + MODELS,
    "della": "merge_method: della\n" + BASE + "parameters: {{epsilon: 0.1}}\n" + MODELS,
    "model_stock": "merge_method: model_stock\n" + BASE + MODELS,
    "nuslerp": "merge_method: nuslerp\n" + MODELS,
    "sce": "merge_method: sce\n" + BASE + MODELS + "parameters: {{select_topk: 0.4}}\n",
    "stack": "merge_method: passthrough\nslices:\n  - sources: [{{model: {dir}/a, layer_range: [0, 2]}}]\n"
             "  - sources: [{{model: {dir}/b, layer_range: [1, 3]}}]\n",
}
# docs/merge-methods.md says where mergekit stops, and that its random masks are others.
NOT_IN_MERGEKIT = ["gpt_neox", "mixtral"]
NO_STACKS_IN_MERGEKIT = ["qwen2", "qwen3", "gemma2", "gemma3_text"]


def make_models(name, folder):
    torch.manual_seed(7)
    base = AutoModelForCausalLM.from_config(transformers.CONFIG_MAPPING[name](**ARCHITECTURES[name]))
    base.generation_config = transformers.GenerationConfig(bos_token_id=0, eos_token_id=[1, 5])
    base.save_pretrained(folder / "base", max_shard_size="60KB")
    for source in "ab":
        with torch.no_grad():
            for parameter in base.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        base.save_pretrained(folder / source, max_shard_size="60KB")


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def merges(request, mergekit_python, tmp_path_factory):  # noqa: F811
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    make_models(name, folder)
    compared = [] if name in NOT_IN_MERGEKIT else [recipe for recipe in RECIPES if recipe != "della"]
    if name in NO_STACKS_IN_MERGEKIT:
        compared.remove("stack")
    merge_both(mergekit_python, folder, {recipe: RECIPES[recipe] for recipe in compared}, folder)
    for recipe in RECIPES.keys() - compared:
        (folder / f"{recipe}.yaml").write_text(RECIPES[recipe].format(dir=folder))
        run([PROGRAM, "merge", folder / f"{recipe}.yaml", folder / f"{recipe}.galapagos"])
    return folder, compared


@pytest.mark.parametrize("recipe", RECIPES)
def test_merge(merges, recipe):
    folder, compared = merges
    merged = folder / f"{recipe}.galapagos"
    model, loading = AutoModelForCausalLM.from_pretrained(merged, output_loading_info=True, dtype=torch.float32)
    assert not any(loading.values()), loading
    assert model.generation_config.eos_token_id == [1, 5]
    assert model.config.num_hidden_layers == (4 if recipe == "stack" else 3)
    with torch.no_grad():
        assert torch.isfinite(model(torch.tensor([[3, 4, 5, 6]])).logits).all()
    if recipe not in compared:
        return
    ours, theirs = tensors_of(merged), tensors_of(folder / f"{recipe}.mergekit")
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        scale = torch.maximum(expected.abs(), expected.abs().max() / 4)
        assert ((ours[name] - expected).abs() <= 1e-6 * scale).all(), name
