"""Byte-level BPE tokenizers, trained on the spot so that each option is met: GPT-2, Llama 3, Qwen 2, GPT-NeoX and their relatives."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizer_texts import SENTENCES

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
QWEN2_PATTERN = LLAMA3_PATTERN.replace("{1,3}", "")
QWEN3_5_PATTERN = QWEN2_PATTERN.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(
    r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"
)


def train(pre_tokenizer, post_processor, whole_alphabet=True, vocabulary=700, **model_options):
    tokenizer = Tokenizer(models.BPE(**model_options))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = post_processor
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if whole_alphabet else [],
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3 if whole_alphabet else SENTENCES[:3], trainer)
    return tokenizer


def add_awkward_tokens(tokenizer):
    tokenizer.add_tokens(
        [
            AddedToken("[L]", lstrip=True),
            AddedToken("[R]", rstrip=True),
            AddedToken("[LR]", lstrip=True, rstrip=True, normalized=False),
            AddedToken("[W]", single_word=True),
            AddedToken("[LL]", normalized=False, special=True),
            AddedToken("é[", single_word=True, normalized=False),
            AddedToken("です。", normalized=False),
            AddedToken(" \n"),
            AddedToken("\u00a0x", rstrip=True),
        ]
    )
    return tokenizer


def gpt2():
    return train(
        pre_tokenizers.ByteLevel(add_prefix_space=False), processors.ByteLevel(trim_offsets=False)
    )


def gpt2_with_prefix_space_and_template():
    template = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>", special_tokens=[("<|im_start|>", 1), ("<|im_end|>", 2)]
    )
    tokenizer = train(
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        processors.Sequence([processors.ByteLevel(), template]),
    )
    return add_awkward_tokens(tokenizer)


def smollm2():
    steps = [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ]
    return add_awkward_tokens(train(pre_tokenizers.Sequence(steps), None))


def split_pattern_and_digit_runs():
    steps = [
        pre_tokenizers.Split(Regex(GPT2_PATTERN), behavior="isolated"),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
    ]
    tokenizer = train(pre_tokenizers.Sequence(steps), None)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Fuse()])
    return tokenizer


def whole_words_first():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False), None, ignore_merges=True)
    description = json.loads(tokenizer.to_str())
    # No chain of merges reaches this word: it is taken because the vocabulary has it as a whole.
    description["model"]["vocab"]["ĠWords"] = len(description["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(description))


def unknown_bytes_dropped(**settings):
    return train(pre_tokenizers.ByteLevel(add_prefix_space=False), None, whole_alphabet=False, vocabulary=200, **settings)


def unknown_bytes_fused():
    return unknown_bytes_dropped(unk_token="<|endoftext|>", fuse_unk=True)


def unknown_bytes_single():
    return unknown_bytes_dropped(unk_token="<|endoftext|>")


def split_and_byte_level(pattern, behavior="isolated", invert=False, prefix=False):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert),
            pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False),
        ]
    )


def llama3():
    template = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    tokenizer = train(
        split_and_byte_level(LLAMA3_PATTERN),
        processors.Sequence([processors.ByteLevel(trim_offsets=False), template]),
        ignore_merges=True,
    )
    description = json.loads(tokenizer.to_str())
    description["model"]["vocab"]["ĠWords"] = len(description["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(description))


def qwen2():
    tokenizer = train(split_and_byte_level(QWEN2_PATTERN), processors.ByteLevel(trim_offsets=False))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens(
        [AddedToken("<think>", normalized=False), AddedToken("か\u3099"), AddedToken("\u212bx")]
    )
    return tokenizer


def qwen3_5():
    tokenizer = train(split_and_byte_level(QWEN3_5_PATTERN), None)
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def cl100k():
    return train(split_and_byte_level(CL100K_PATTERN, "removed", invert=True), None)


def gpt_neox():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False), processors.ByteLevel())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens(["  ", "    ", "\n\n"])
    return tokenizer


def other_behaviors():
    steps = [
        pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="contiguous"),
        pre_tokenizers.Split("e", behavior="merged_with_next"),
        pre_tokenizers.Split(" a", behavior="removed"),
        pre_tokenizers.Split("ab", behavior="contiguous", invert=True),
        pre_tokenizers.Split("1", behavior="merged_with_previous", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return train(pre_tokenizers.Sequence(steps), None)


def compatibility_forms():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False), None)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Strip(left=True, right=False), normalizers.NFKD(), normalizers.NFKC()]
    )
    return tokenizer


def decomposed_forms():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=True), None)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.NFD(), normalizers.Strip()]
    )
    return tokenizer
