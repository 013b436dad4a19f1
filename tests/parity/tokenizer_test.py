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

pytest.importorskip("tokenizers")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import byte_level_tokenizers as byte_level
import sentencepiece_tokenizers as sentencepiece
from tokenizer_texts import make_texts

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY_DIR = pathlib.Path(os.environ.get("GALAPAGOS_BINARY_DIR", ROOT / "build" / "release"))
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))


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
    [
        byte_level.gpt2,
        byte_level.smollm2,
        byte_level.llama3,
        byte_level.qwen2,
        byte_level.gpt_neox,
        sentencepiece.llama2_legacy,
        sentencepiece.mistral,
        sentencepiece.phi3,
        sentencepiece.gemma,
    ],
    ids=lambda make: make.__name__,
)
def test_main_kinds_on_ten_thousand_texts(make, tmp_path):
    compare(make(), tmp_path, 10_000)


@pytest.mark.parametrize(
    "make",
    [
        byte_level.gpt2_with_prefix_space_and_template,
        byte_level.split_pattern_and_digit_runs,
        byte_level.whole_words_first,
        byte_level.unknown_bytes_dropped,
        byte_level.unknown_bytes_fused,
        byte_level.unknown_bytes_single,
        byte_level.qwen3_5,
        byte_level.cl100k,
        byte_level.other_behaviors,
        byte_level.compatibility_forms,
        byte_level.decomposed_forms,
        sentencepiece.llama2_normalized_specials,
        sentencepiece.merges_across_words,
        sentencepiece.some_bytes_missing,
        sentencepiece.unknown_without_fallback,
        sentencepiece.metaspace_first_after_normalizers,
        sentencepiece.no_decoder,
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
        byte_level.split_and_byte_level(byte_level.LLAMA3_PATTERN),
        byte_level.split_and_byte_level(byte_level.QWEN3_5_PATTERN),
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
    file.write_text(json.dumps(changed(byte_level.gpt2(), path, value)))
    finished = subprocess.run(
        [BINARY_DIR / "tests" / "support" / "tokenize_lines", file],
        input="",
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert named in finished.stderr
