"""Encoding text on one thread, against the Hugging Face tokenizers library.

Tokenizers of 32,000 tokens of each kind are trained by that library on the texts themselves: about 8 MB of prose, code and
non-Latin script found on this machine. Both encode all texts in turns; the fastest of several passes counts, in processor
time: one thread that waits for nobody. The first pass, in
which words are met for the first time, is a row of its own.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

PASSES = 7
BYTES = 8_000_000
TEXT_BYTES = 4000
LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {"Llama 3": LETTERS % "{1,3}", "Qwen2": LETTERS % ""}
SCRIPTS = ("абвгдежзиклмнопрстуфхцчшщыэюя", "αβγδεζηθικλμνξοπρστυφχψω", "あいうえおかきくけこさしすせそ日本語東京都", "אבגדהוזחטיכלמנסעפצקרשת")


def foreign_text(random_source, count):
    """Made-up words in other scripts, some of them often."""
    lexicon = ["".join(random_source.choices(script, k=random_source.randint(2, 9))) for script in SCRIPTS for _ in range(2000)]
    return " ".join(random_source.choices(lexicon, weights=[1 / (1 + i % 2000) for i in range(len(lexicon))], k=count))


def found_texts():
    files = [path for folder in ("/usr/share/common-licenses", "/usr/share/doc", "/usr/share/perl", "/usr/lib/python3", "/usr/include")
             for suffix in ("", ".txt", ".md", ".pod", ".py", ".h", ".rst") for path in sorted(pathlib.Path(folder).rglob(f"*{suffix}"))
             if path.is_file() and path.suffix == suffix and path.stat().st_size < 300_000]
    random_source = random.Random(1)
    random_source.shuffle(files)
    text = foreign_text(random_source, 120_000)
    for path in files:
        if len(text) > BYTES:
            break
        try:
            text += path.read_text("utf-8").replace("\0", "")
        except (UnicodeDecodeError, OSError):
            continue
    pieces = [text[i:i + TEXT_BYTES] for i in range(0, len(text), TEXT_BYTES)]
    random_source.shuffle(pieces)
    return pieces


def byte_level(pattern):
    tokenizer = Tokenizer(models.BPE(ignore_merges=pattern == PATTERNS["Llama 3"]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer, {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}


def sentence_piece():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer, {"special_tokens": ["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]}


def trained(kind, texts):
    tokenizer, options = sentence_piece() if kind == "Llama 2" else byte_level(PATTERNS.get(kind))
    if kind == "Qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=32_000, show_progress=False, **options))
    if kind == "Llama 2":  # as the published files have it: one word, spaces written by the normalizer
        tokenizer.pre_tokenizer = None
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        description = json.loads(tokenizer.to_str())  # <0x0A> and the like are plain tokens there
        description["added_tokens"] = description["added_tokens"][:1]
        tokenizer = Tokenizer.from_str(json.dumps(description))
    return tokenizer


def rival_pass(tokenizer, texts):
    started = time.process_time()
    tokens = sum(len(tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids) for text in texts)
    return time.process_time() - started, tokens


def measure(program, kind, texts, folder):
    tokenizer = trained(kind, texts)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))  # nothing remembered from training
    (folder / "texts").write_bytes("\0".join(texts).encode())
    ours, theirs = [], []
    with subprocess.Popen([program, folder / "tokenizer.json", folder / "texts"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        for _ in range(PASSES):
            process.stdin.write("\n")
            process.stdin.flush()
            seconds, tokens = process.stdout.readline().split()
            ours.append(float(seconds))
            seconds, rival_tokens = rival_pass(tokenizer, texts)
            theirs.append(seconds)
            assert int(tokens) == rival_tokens, f"{kind}: {tokens} and {rival_tokens} tokens"
        process.stdin.close()
    return ours, theirs


def row(name, size, ours, theirs):
    return {"name": name, "unit": "MB/s", "galapagos": size / ours / 1e6, "rival": size / theirs / 1e6, "ratio": theirs / ours,
            "floor": None, "goal": 1.0, "met": theirs >= ours}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary-dir", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    texts = found_texts()
    size = sum(len(text.encode()) for text in texts)
    rows = []
    for kind in ("GPT-2", "Llama 3", "Qwen2", "Llama 2"):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = measure(arguments.binary_dir / "tests/bench/tokenizer", kind, texts, pathlib.Path(folder))
        rows.append(row(f"encode, {kind} kind", size, min(ours), min(theirs)))
        rows.append(row(f"encode, {kind} kind, first pass", size, ours[0], theirs[0]))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
