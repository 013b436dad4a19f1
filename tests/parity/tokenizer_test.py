"""Ids and texts of galapagos' tokenizer against the Hugging Face library, string by string.

The tokenizers are trained here, so that each option is met; the real one of SmolLM2 joins in when
setup put it in place.
"""

import json
import os
import pathlib
import random
import subprocess

import pytest

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY_DIR = pathlib.Path(os.environ.get("GALAPAGOS_BINARY_DIR", ROOT / "build" / "release"))
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))
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

SENTENCES = [
    "The answer is 30. They've said it's 1,234.50, haven't we'll I'm you'd don't THEY'RE",
    "def merge(a, b):\n    return [x + y for x, y in zip(a, b)]  # sum\n\tif a != b: pass\r\n",
    "Tom has 3 apples and buys 4 more; how many apples does Tom have now? Answer in JSON.",
    "東京は日本の首都です。太郎はりんごを三個、バナナを12個持っています。答えは１５です。",
    "Привет, мир! Сегодня 17 марта 2024 года. Ελληνικά γράμματα. العربية ١٢٣ हिन्दी में १२ ភាសាខ្មែរ",
    "naïve café — “quoted” … 👩‍👩‍👧‍👦 🇯🇵 👍🏽 ½ Ⅳ ² x² α≤β  \u00a0nbsp\u2003em\u3000ideographic",
    'https://example.org/a?b=c&d=e#f user@mail.net <html><body class="x">&amp;</body></html>',
    "          indented\n\n\n\nparagraphs\t\ttabs   \n   trailing   ",
]
# fmt: off
FRAGMENTS = [
    "'s", "'t", "'re", "'VE", "'ll", "'d", "’s", " '", "''", "<|im_start|>", "<|im_end|>",
    "<|im_", "|>", "<|endoftext|>", "[L]", "[R]", "[W]", "[N]", "[LR]", "[LL]", "  [L]  ",
    " [R] \n ", "a[W]", "[W]b", "é[W]", "[W]_", "\u200d[W]", "Ⓐ[W]", " [W] ", "[R]\u00a0\u2003x",
    "x\u0085[L]", "\r\n", "\n\n", "\t", "    ", " \n", "\u0085", "\u180e", "\u200b", "\ufeff",
    "\u00a0", "\u2028", "\u3000", "\u1680", "\u001c", "\u0000", "\u0301", "e\u0301", "가", "각",
    "0123", "٠١", "१२", "½", "Ⅷ", "３０", "𝟘𝟙", "\U00011de3", "\U00016ff4", "\ua7ce", "👩‍👩‍👧‍👦",
    "🇯🇵", "👍🏽", "\U000e0001", "\U0010ffff", "\ue000", "\ufffd", "Ġ", "Ċ", "ĠĠ", "▁", "ស្រុក",
    "ไทย", "ﷺ", "ß", "İ", "ŉ", "_", "-", "...", "!?", "\\n", '"', "{", "}", "word", "Words", "x1",
    "1x", "a 1", "日本", "です。", "ー", "'S", "'ſ", "'Ll", "'rE", "'VE'm", "'D'd", "'K", "'\u017ft", "''s",
    "<0xE3>", "<0x0A>", "<0xe3>", "<0x+5>", "<unk>", "<s>", "</s>", "<bos>", "<start_of_turn>", "▁▁", " ▁", "▁ a", "\r", "\r\r\n",
    " \n \n x", "\n ", "!\n\n", " !\r\n", "1234567", "१२३४", "𝟘𝟙𝟚𝟛", "½¾", "a\u0301b", "\u0301\u0301", "q\u0323\u0307",
    "q\u0307\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u212b\u2126", "\ufb01", "が", "か\u3099", "ひ\u309a", "\u0f73\u0f71",
    "\u0344", "\u1e9b\u0323", "\U00011938", "\U00011935\U00011930", "\u0958", "\u2adc", "ｶﾞ", "①", "\u00c5", "fi", "\u09fe\u0301",
]
# fmt: on
SPACES = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f"
    "\u205f\u2060\u3000\ufeff"
)


def random_code_point(random_source):
    """One character of any plane, small code points more often; never a surrogate."""
    limit = random_source.choice([0x80, 0x250, 0x800, 0x3100, 0x10000, 0x20000, 0x110000])
    while True:
        code_point = random_source.randrange(limit)
        if not 0xD800 <= code_point < 0xE000:
            return chr(code_point)


def random_text(random_source):
    parts = []
    for _ in range(random_source.randrange(1, 14)):
        kind = random_source.randrange(5)
        if kind == 0:
            sentence = random_source.choice(SENTENCES)
            start = random_source.randrange(len(sentence))
            parts.append(sentence[start : start + random_source.randrange(1, 40)])
        elif kind == 1:
            parts.append(
                "".join(random_source.choice(SPACES) for _ in range(random_source.randrange(1, 5)))
            )
        elif kind == 2:
            parts.append(
                "".join(
                    random_code_point(random_source) for _ in range(random_source.randrange(1, 8))
                )
            )
        else:
            parts.append(random_source.choice(FRAGMENTS))
    return "".join(parts)


def adversarial_texts():
    """Single fragments, pairs that meet at a boundary, long runs."""
    texts = [""] + FRAGMENTS + SENTENCES
    texts += [left + right for left in FRAGMENTS[::3] for right in FRAGMENTS[::5]]
    texts += [
        unit * count
        for unit in ("a", " ", "\n", "é", "12", " a", "👍", "[L] ", "ab")
        for count in (2, 3, 255, 256, 257, 5000)
    ]
    return texts


def make_texts(count, seed):
    random_source = random.Random(seed)
    texts = adversarial_texts()[:count]
    return texts + [random_text(random_source) for _ in range(count - len(texts))]


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


def unknown_bytes_dropped():
    return train(
        pre_tokenizers.ByteLevel(add_prefix_space=False), None, whole_alphabet=False, vocabulary=200
    )


def unknown_bytes_fused():
    return train(
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        None,
        whole_alphabet=False,
        vocabulary=200,
        unk_token="<|endoftext|>",
        fuse_unk=True,
    )


def unknown_bytes_single():
    return train(
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        None,
        whole_alphabet=False,
        vocabulary=200,
        unk_token="<|endoftext|>",
    )


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


def sentencepiece(special, fallback=range(256), across_words=False, **model_options):
    """BPE over characters with ▁ for spaces, and with byte tokens behind the trained vocabulary."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if across_words:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES[:3] * 3, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    for byte in fallback:
        model["vocab"][f"<0x{byte:02X}>"] = len(model["vocab"])
    for run in ("▁▁", "▁▁▁▁"):
        model["vocab"].setdefault(run, len(model["vocab"]))
        model["merges"].append([run[: len(run) // 2]] * 2)
    options = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True} | model_options
    result = Tokenizer(
        models.BPE(
            vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]], **options
        )
    )
    return result, special


def finish_sentencepiece(tokenizer, special, bos):
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return tokenizer


def llama2_decoder(strip=True):
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(steps + [decoders.Strip(content=" ", left=1)] * strip)


LLAMA_SPECIAL = ["<unk>", "<s>", "</s>"]
GEMMA_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]


def llama2_legacy():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = llama2_decoder()
    return finish_sentencepiece(tokenizer, special, "<s>")


def llama2_normalized_specials():
    """As older Llama-2 files have it: special tokens are looked for in normalized text."""
    tokenizer = llama2_legacy()
    description = json.loads(tokenizer.to_str())
    for token in description["added_tokens"]:
        token["normalized"] = True
    return Tokenizer.from_str(json.dumps(description))


def mistral():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fuse_unk=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = llama2_decoder()
    tokenizer = finish_sentencepiece(tokenizer, special, "<s>")
    tokenizer.add_special_tokens(["[INST]", "[/INST]"])
    return tokenizer


def phi3():
    tokenizer = llama2_legacy()
    tokenizer.post_processor = None
    tokenizer.add_tokens(
        [
            AddedToken("<|im_start|>", rstrip=True, special=True, normalized=False),
            AddedToken("<|im_end|>", rstrip=True, special=False, normalized=False),
            AddedToken("word", single_word=True, lstrip=True, normalized=False),
        ]
    )
    return tokenizer


def gemma():
    tokenizer, special = sentencepiece(GEMMA_SPECIAL)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    tokenizer.decoder = llama2_decoder(strip=False)
    tokenizer = finish_sentencepiece(tokenizer, special, "<bos>")
    tokenizer.add_special_tokens(["<start_of_turn>"])
    tokenizer.add_tokens([AddedToken(run, normalized=False) for run in ("\n\n", "▁▁", "\t")])
    return tokenizer


def merges_across_words():
    tokenizer, special = sentencepiece(GEMMA_SPECIAL, across_words=True)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = llama2_decoder(strip=False)
    return finish_sentencepiece(tokenizer, special, "<bos>")


def some_bytes_missing():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fallback=range(0x80, 0xF0, 2))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(" ", "▁"), normalizers.Prepend("▁")]
    )
    tokenizer.decoder = llama2_decoder()
    return finish_sentencepiece(tokenizer, special, "<s>")


def unknown_without_fallback():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fallback=[], byte_fallback=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=True)
    return finish_sentencepiece(tokenizer, special, "<s>")


def metaspace_first_after_normalizers():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL, fuse_unk=False, ignore_merges=True)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("xy"), normalizers.Replace("x", " z")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("y", behavior="isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="first", split=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.add_tokens(["z", "[W]"])
    return finish_sentencepiece(tokenizer, special, "<s>")


def no_decoder():
    tokenizer, special = sentencepiece(LLAMA_SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    return finish_sentencepiece(tokenizer, special, "<s>")


def run_galapagos(tokenizer_file, requests):
    helper = BINARY_DIR / "tests" / "support" / "tokenize_lines"
    if not helper.exists():
        pytest.fail(f"{helper} is missing: build the target tokenize_lines")
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    finished = subprocess.run(
        [helper, tokenizer_file], input=lines, capture_output=True, text=True, encoding="utf-8"
    )
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.split("\n")[:-1]]


def random_id_lists(tokenizer, count, seed):
    """Ids in any order, so that characters are cut in the middle; some ids without a token."""
    random_source = random.Random(seed)
    size = tokenizer.get_vocab_size()
    return [
        [random_source.randrange(size + 5) for _ in range(random_source.randrange(0, 30))]
        for _ in range(count)
    ]


def compare(tokenizer, folder, count):
    file = folder / "tokenizer.json"
    tokenizer.save(str(file))
    texts = make_texts(count, seed=count)
    id_lists = random_id_lists(tokenizer, count // 5, seed=1)
    answers = run_galapagos(file, texts + id_lists)
    assert len(answers) == len(texts) + len(id_lists)
    for text, answer in zip(texts, answers):
        expected = tokenizer.encode(text).ids
        assert answer["ids"] == expected, repr(text)
        assert answer["plain_ids"] == tokenizer.encode(text, add_special_tokens=False).ids, repr(
            text
        )
    for ids, answer in zip([answer["ids"] for answer in answers[: len(texts)]] + id_lists, answers):
        without_special = tokenizer.decode(ids, skip_special_tokens=True)
        assert answer["text"] == tokenizer.decode(ids, skip_special_tokens=False), ids
        assert answer["text_without_special"] == without_special, ids
        assert answer["streamed"] == without_special, ids


@pytest.mark.parametrize(
    "make",
    [gpt2, smollm2, llama3, qwen2, gpt_neox, llama2_legacy, mistral, phi3, gemma],
    ids=lambda make: make.__name__,
)
def test_main_kinds_on_ten_thousand_texts(make, tmp_path):
    compare(make(), tmp_path, 10_000)


@pytest.mark.parametrize(
    "make",
    [
        gpt2_with_prefix_space_and_template,
        split_pattern_and_digit_runs,
        whole_words_first,
        unknown_bytes_dropped,
        unknown_bytes_fused,
        unknown_bytes_single,
        qwen3_5,
        cl100k,
        other_behaviors,
        compatibility_forms,
        decomposed_forms,
        llama2_normalized_specials,
        merges_across_words,
        some_bytes_missing,
        unknown_without_fallback,
        metaspace_first_after_normalizers,
        no_decoder,
    ],
    ids=lambda make: make.__name__,
)
def test_options(make, tmp_path):
    compare(make(), tmp_path, 3_000)


def test_smollm2_itself(tmp_path):
    file = DEPS / "models" / "smollm2" / "tokenizer.json"
    if not file.exists():
        pytest.skip(f"{file} is missing: jobs/quickstart puts it there")
    compare(Tokenizer.from_file(str(file)), tmp_path, 10_000)


@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        ),
        split_and_byte_level(LLAMA3_PATTERN),
        split_and_byte_level(QWEN3_5_PATTERN),
    ],
    ids=["gpt2", "smollm2", "llama3", "qwen3_5"],
)
def test_every_character_between_others(pre_tokenizer, tmp_path):
    """All characters but the bulk of CJK and Hangul, each beside a letter, a digit, a sign and a space: shows a wrong entry of a Unicode table.

    The model knows nothing but "|", so that each piece, being unknown as a whole, is one id: the ids count the pieces.
    """
    tokenizer = Tokenizer(
        models.BPE(vocab={"<unk>": 0, "|": 1}, merges=[], unk_token="<unk>", fuse_unk=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    code_points = [
        *range(0x3500),
        *range(0x3500, 0xA000, 16),
        *range(0xA000, 0xAD00),
        *range(0xAD00, 0xD800, 16),
        *range(0xF900, 0x17000),
        *range(0x17000, 0x18A00, 16),
        *range(0x18A00, 0x20000),
        *range(0x20000, 0x40000, 16),
        *range(0xE0000, 0xE0200),
    ]
    characters = [chr(code_point) for code_point in code_points]
    texts = [
        "|".join(f"a{c}1{c}!{c} {c}a'{c}b'l{c}" for c in characters[i : i + 32])
        for i in range(0, len(characters), 32)
    ]
    expected = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    for text, ids, answer in zip(texts, expected, run_galapagos(file, texts), strict=True):
        assert answer["ids"] == ids, [hex(ord(c)) for c in text[1::9]]


def changed(tokenizer, path, value):
    description = json.loads(tokenizer.to_str())
    place = description
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return description


@pytest.mark.parametrize(
    "path, value, named",
    [
        (["normalizer"], {"type": "Lowercase"}, "Lowercase"),
        (["normalizer"], {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}, "a+"),
        (["model", "type"], "WordPiece", "WordPiece"),
        (["pre_tokenizer"], {"type": "Whitespace"}, "Whitespace"),
        (["pre_tokenizer", "use_regex"], 1, "pre_tokenizer.use_regex"),
        (["decoder"], {"type": "WordPiece", "prefix": "##", "cleanup": True}, "WordPiece"),
        (
            ["post_processor"],
            {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 0]},
            "BertProcessing",
        ),
        (["model", "type"], "Unigram", "Unigram"),
        (["model", "dropout"], 0.1, "model.dropout"),
        (["decoder"], {"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": True}, "CTC"),
        (["model", "end_of_word_suffix"], "</w>", "model.end_of_word_suffix"),
        (["model", "merges"], [["a", "zzzz"]], "model.merges[0]"),
        (["model", "merges"], ["a b c"], "model.merges[0]"),
        (["added_tokens", 0, "id"], 5000, "added_tokens[0].id"),
        (["added_tokens", 0, "lstrip"], "yes", "added_tokens[0].lstrip"),
    ],
)
def test_what_is_not_known_is_refused_by_name(path, value, named, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(changed(gpt2(), path, value)))
    finished = subprocess.run(
        [BINARY_DIR / "tests" / "support" / "tokenize_lines", file],
        input="",
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert named in finished.stderr
