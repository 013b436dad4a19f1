"""Three tiny models of one architecture whose tokenizers differ in tokens, numbers and rows."""

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def special(text):
    return AddedToken(text, special=True, normalized=False)


# merges, added tokens, whether bytes are numbered from the end, rows of the embedding
MODELS = {
    "base": (["th", "he"], [special("<|end|>"), special("<|spare|>")], False, 259),  # <|spare|> has no row
    "a": (["in", "th", "ing"], [special("<|user|>"), special("<|end|>")], False, 272),  # padded
    "b": (["in", "he"], [AddedToken("<|tool|>", lstrip=True, special=False), special("<|end|>"), special("th")], True, 261),
}


def make_tokenizer(name):
    merges, added, reversed_order, _ = MODELS[name]
    tokens = (ALPHABET[::-1] if reversed_order else ALPHABET) + merges
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                     merges=[(merge[:-1], merge[-1]) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(added)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def make_models(folder, tied=False):
    """Returns `folder`, which holds base, a and b."""
    for seed, (name, (_, _, _, rows)) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        tokenizer = make_tokenizer(name)
        config = LlamaConfig(vocab_size=rows, hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                             num_key_value_heads=1, initializer_range=0.3, tie_word_embeddings=tied,
                             bos_token_id=None, eos_token_id=tokenizer.eos_token_id)
        LlamaForCausalLM(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


WEIGHTS = ("models: [{{model: {dir}/base, parameters: {{weight: 0.2}}}}, {{model: {dir}/a, parameters: {{weight: 0.5}}}}, "
           "{{model: {dir}/b, parameters: {{weight: 0.3}}}}]\n")
LINEAR = "merge_method: linear\nbase_model: {dir}/base\ndtype: float32\n" + WEIGHTS
TOKENS = (
    "tokenizer:\n  source: union\n  pad_to_multiple_of: 32\n  tokens:\n"
    "    <|user|>: {{source: {{kind: zero}}, force: true}}\n"
    "    <|end|>: {{source: {dir}/b, force: true}}\n"
    "    in: {{source: {dir}/b}}\n"
    "    <|tool|>: {{source: {{kind: model_token, model: {dir}/a, token: <|user|>}}}}\n"
    "    <|new|>: {{source: {{kind: model_token, model: {dir}/base, token_id: 7}}}}\n"
)
README_TOKENS = (
    "tokenizer:\n  source: union\n  tokens:\n"
    "    <|tool|>: {{source: {dir}/b}}\n"
    "    <|end|>: {{source: {dir}/a, force: true}}\n"
    "    <|renamed|>: {{source: {{kind: model_token, model: {dir}/a, token: <|user|>}}}}\n"
    "    <|unused|>: {{source: {{kind: zero}}}}\n"
)
README_TWO_FORMATS = (
    "tokenizer:\n  source: union\n  tokens:\n"
    "    <|tool|>: {{source: {dir}/b}}\n"
    "    th: {{source: {dir}/b}}\n"
    "    <|user|>: {{source: {dir}/a, force: true}}\n"
    "    <|end|>: {{source: {dir}/a, force: true}}\n"
)
RECIPES = {
    # The tokenizer sections in mergekit's README.
    "readme_tokenizer": LINEAR + "tokenizer: {{source: union, pad_to_multiple_of: null}}\n",
    "readme_token_sources": LINEAR + README_TOKENS,
    "readme_two_chat_formats": LINEAR + README_TWO_FORMATS,
    "union": LINEAR + "tokenizer_source: union\n",
    "readme_chat_template": LINEAR + "tokenizer_source: base\nchat_template: auto\n",
    "base": LINEAR + "tokenizer_source: base\n",
    "model": LINEAR + "tokenizer_source: {dir}/b\n",
    "padded_base": LINEAR + "tokenizer: {{source: base, pad_to_multiple_of: 64}}\n",
    "policies": LINEAR + TOKENS,
    "union_ties": ("merge_method: ties\nbase_model: {dir}/base\ndtype: float32\nparameters: {{density: 0.6}}\ntokenizer: {{}}\n"
                   + WEIGHTS),
    "union_slices": ("merge_method: passthrough\nbase_model: {dir}/base\ndtype: float32\ntokenizer_source: union\nslices:\n"
                     "  - sources: [{{model: {dir}/a, layer_range: [0, 2]}}]\n"
                     "  - sources: [{{model: {dir}/b, layer_range: [1, 2]}}]\n"),
    "union_bfloat16": LINEAR.replace("dtype: float32\n", "dtype: float32\nout_dtype: bfloat16\n") + "tokenizer_source: union\n",
}
