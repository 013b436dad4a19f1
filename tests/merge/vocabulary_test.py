"""Merging models of different vocabularies: every row against a plain implementation of the rules."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

SOURCE = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("GALAPAGOS_BINARY_DIR", SOURCE / "build/release")) / "src/app/galapagos"
sys.path.insert(0, str(SOURCE / "tests/support"))
import vocabulary_models  # noqa: E402

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return vocabulary_models.make_models(tmp_path_factory.mktemp("vocabularies"))


def merge(recipe, folder, status=0):
    path = folder / "recipe.yaml"
    path.write_text(recipe)
    done = subprocess.run([PROGRAM, "merge", path, folder / "merged"], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return folder / "merged" if status == 0 else done.stderr


@functools.cache
def weights_of(folder):
    return load_file(folder / "model.safetensors")


@functools.cache
def vocabulary(folder):
    return PreTrainedTokenizerFast.from_pretrained(folder).get_vocab()


def own_row(models, name, tensor, token):
    rows, number = weights_of(models / name)[tensor], vocabulary(models / name).get(token)
    return rows[number] if number is not None and number < len(rows) else None


def substitute(token, rows, configured):
    present = [row for row in rows.values() if row is not None]
    if token in configured:
        return configured[token]
    if len(present) > 1 and rows["base"] is not None:
        return rows["base"]
    return torch.stack(present).mean(0)


def expected_row(models, tensor, token, configured, forced):
    """The weighted mean of the three models' rows."""
    rows = {name: own_row(models, name, tensor, token) for name in ("base", "a", "b")}
    instead = substitute(token, rows, configured)
    used = [instead if row is None or token in forced else row for row in rows.values()]
    return 0.2 * used[0] + 0.5 * used[1] + 0.3 * used[2]


@pytest.mark.parametrize("name, rows", [("union", 263), ("base", 259), ("model", 261), ("padded_base", 320), ("policies", 288)])
def test_rows_follow_the_tokens(models, tmp_path, name, rows):
    merged = merge(vocabulary_models.RECIPES[name].format(dir=models), tmp_path)
    tokens, weights = vocabulary(merged), weights_of(merged)
    assert json.loads((merged / "config.json").read_text())["vocab_size"] == rows
    assert not list(merged.glob(".*"))
    for tensor in (EMBEDDING, HEAD):
        assert len(weights[tensor]) == rows
        configured, forced = {}, set()
        if name == "policies":
            configured = {"<|user|>": torch.zeros(24), "<|end|>": own_row(models, "b", tensor, "<|end|>"),
                          "in": own_row(models, "b", tensor, "in"), "<|tool|>": own_row(models, "a", tensor, "<|user|>"),
                          "<|new|>": weights_of(models / "base")[tensor][7]}
            forced = {"<|user|>", "<|end|>"}
        for token, number in tokens.items():
            expected = expected_row(models, tensor, token, configured, forced)
            torch.testing.assert_close(weights[tensor][number], expected, rtol=1e-5, atol=1e-6, msg=lambda text: f"{token}: {text}")
        mean = weights[tensor][: len(tokens)].mean(0)
        for number in range(len(tokens), rows):
            torch.testing.assert_close(weights[tensor][number], mean, rtol=1e-4, atol=1e-5)


def test_the_union_keeps_the_base_and_adds_the_others(models, tmp_path):
    merged = PreTrainedTokenizerFast.from_pretrained(merge(vocabulary_models.RECIPES["union"].format(dir=models), tmp_path))
    base = vocabulary(models / "base")
    tokens = merged.get_vocab()
    assert all(tokens[token] == number for token, number in base.items() if token != "<|spare|>")
    assert [merged.convert_ids_to_tokens(number) for number in range(259, 263)] == ["in", "ing", "<|user|>", "<|tool|>"]
    assert tokens.keys() == set().union(*(vocabulary(models / name) for name in "ab"), base) - {"<|spare|>"}
    added = {token.content: token for token in merged.added_tokens_decoder.values()}
    assert added["<|tool|>"].lstrip and not added["<|tool|>"].special
    assert added["<|user|>"].special and added["<|user|>"].normalized is False


def test_heads_that_are_tied(tmp_path):
    models = vocabulary_models.make_models(tmp_path / "models", tied=True)
    merged = merge(vocabulary_models.RECIPES["union"].format(dir=models), tmp_path)
    weights = weights_of(merged)
    assert HEAD not in weights
    torch.testing.assert_close(weights[EMBEDDING][vocabulary(merged)["th"]], expected_row(models, EMBEDDING, "th", {}, set()))


@pytest.mark.parametrize("setting, message", [
    ("tokenizer_source: union\ntokenizer: {source: base}\n", "either 'tokenizer_source' or 'tokenizer'"),
    ("tokenizer: {sorce: base}\n", "did you mean 'source'?"),
    ("tokenizer: {pad_to_multiple_of: 0}\n", "1 to 1000000"),
    ("tokenizer: {tokens: {<|x|>: {force: true}}}\n", "source"),
    ("tokenizer: {tokens: {<|x|>: {source: {kind: none}}}}\n", "model_token or zero"),
    ("tokenizer: {tokens: {<|user|>: {source: DIR/base}}}\n", "lacks the token"),
    ("tokenizer: {tokens: {<|x|>: {source: DIR/c}}}\n", "not among the models"),
    ("tokenizer: {tokens: {<|x|>: {source: {kind: model_token, model: DIR/a, token: nothing}}}}\n", "has no token 'nothing'"),
    ("tokenizer: {tokens: {<|x|>: {source: {kind: model_token, model: DIR/a, token_id: 100000}}}}\n", "no embedding of token number"),
    ("tokenizer_source: /no/such/folder\n", "/no/such/folder"),
    ("chat_template: chatmll\n", "did you mean 'chatml'?"),
    ("", "token 256 is 'th' and 'in'"),
])
def test_what_does_not_fit_is_refused(models, tmp_path, setting, message):
    status = 1 if "token 256" in message or "/no/such" in message else 2  # not the recipe's fault
    error = merge(vocabulary_models.LINEAR.format(dir=models) + setting.replace("DIR", str(models)), tmp_path, status)
    assert message in error and not (tmp_path / "merged").exists()


MESSAGES = [{"role": "user", "content": "One? "}, {"role": "assistant", "content": "Two."}, {"role": "user", "content": "Three?"}]
SYSTEM = [{"role": "system", "content": "Be brief."}]
RENDERED = {
    "alpaca": ("Be brief.\n\n### Instruction:\nOne?\n\n### Response:\nTwo.\n\n### Instruction:\nThree?\n\n### Response:\n"),
    "chatml": ("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOne? <|im_end|>\n<|im_start|>assistant\nTwo.<|im_end|>\n"
               "<|im_start|>user\nThree?<|im_end|>\n<|im_start|>assistant\n"),
    "exaone": ("[|system|]Be brief.[|endofturn|]\n[|user|]One? \n[|assistant|]Two.[|endofturn|]\n[|user|]Three?\n[|assistant|]"),
    "llama3": ("<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nOne?"
               "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nTwo.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
               "Three?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"),
    "mistral": "<s> [INST] Be brief.\n\nOne?  [/INST] Two.<|end|> [INST] Three? [/INST]",
}


@pytest.mark.parametrize("name", RENDERED)
def test_chat_templates_by_name(models, tmp_path, name):
    recipe = f"merge_method: passthrough\nmodels: [{{model: {models}/a}}]\nchat_template: {name}\n"
    tokenizer = PreTrainedTokenizerFast.from_pretrained(merge(recipe, tmp_path), bos_token="<s>")
    assert tokenizer.apply_chat_template(SYSTEM + MESSAGES, tokenize=False, add_generation_prompt=True) == RENDERED[name]
