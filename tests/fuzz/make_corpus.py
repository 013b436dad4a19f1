#!/usr/bin/env python3
"""Writes the seed corpus: for each format a few sound files and many that are wrong in one way.

    make_corpus.py [FOLDER]     default: corpus/ beside this file

Histories are made by the sample_writer program of the tests (GALAPAGOS_BINARY_DIR, default build/ci); without it those that
are there stay.
"""
import gzip
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
OUT = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "corpus"


def write(fmt, name, content):
    folder = OUT / fmt
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape, begin, end, dtype="F32", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


def make_safetensors():
    good = {"__metadata__": {"format": "pt"}, "a": tensor([2], 0, 8), "b": tensor([1, 2], 8, 12, "BF16")}
    data = bytes(12)
    cases = {
        "sound": safetensors(good, data),
        "empty": safetensors({}),
        "scalar": safetensors({"a": tensor([], 0, 2, "F16")}, bytes(2)),
        "terabytes_of_header": safetensors("{}", length=1 << 42),
        "largest_length": safetensors("{}", length=(1 << 64) - 1),
        "length_wraps": safetensors("{}", length=(1 << 64) - 8),
        "terabytes_of_data": safetensors({"a": tensor([1 << 40], 0, 1 << 42)}),
        "overflow": safetensors({"a": tensor([1 << 62, 8], 0, 0)}),
        "negative_shape": safetensors({"a": tensor([-1], 0, 4)}, bytes(4)),
        "overlap": safetensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, data),
        "hole": safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, data),
        "backwards": safetensors({"a": tensor([1], 4, 0)}, data),
        "too_long": safetensors({"a": tensor([4], 0, 16)}, data),
        "left_over": safetensors({"a": tensor([2], 0, 8)}, data),
        "unknown_dtype": safetensors({"a": tensor([2], 0, 8, "F33")}, bytes(8)),
        "unknown_key": safetensors({"a": tensor([2], 0, 8, x=1)}, bytes(8)),
        "twice": safetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8)),
        "metadata_number": safetensors('{"__metadata__":{"a":1}}'),
        "deep": safetensors('{"a":' + "[" * 500 + "]" * 500 + "}"),
        "zero_byte": safetensors(b'{"a\0":1}'),
        "spaces": safetensors(json.dumps(good) + "   ", data),
        "float_offset": safetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}}', bytes(4)),
        "huge_number": safetensors('{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', bytes(4)),
        "three_offsets": safetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', bytes(4)),
        "cut": safetensors(good, data)[:40],
        "seven_bytes": b"\1\0\0\0\0\0\0",
        "many_dimensions": safetensors({"a": tensor([1] * 40, 0, 4)}, bytes(4)),
        "bad_utf8": safetensors(b'{"\xff\xfe":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    }
    for name, content in cases.items():
        write("safetensors", name, content)


def make_weight_index():
    shard = "model-00001-of-00001.safetensors"
    cases = {
        "sound": {"metadata": {"total_size": 4}, "weight_map": {"a": shard}},
        "no_map": {}, "empty_map": {"weight_map": {}}, "list_map": {"weight_map": [shard]},
        "number": {"weight_map": {"a": 1}}, "missing_tensor": {"weight_map": {"b": shard}},
        "missing_file": {"weight_map": {"a": "other.safetensors"}},
        "parent": {"weight_map": {"a": "../model.safetensors"}}, "absolute": {"weight_map": {"a": "/etc/passwd"}},
        "hidden": {"weight_map": {"a": ".safetensors"}}, "empty_name": {"weight_map": {"a": ""}},
        "long_name": {"weight_map": {"a": "x" * 300 + ".safetensors"}}, "drive": {"weight_map": {"a": "c:x.safetensors"}}, "list": [],
    }
    for name, content in cases.items():
        write("weight_index", name, json.dumps(content))
    write("weight_index", "twice", '{"weight_map":{"a":"%s","a":"%s"}}' % (shard, shard))
    write("weight_index", "zero_in_name", '{"weight_map":{"a":"x\\u0000.safetensors"}}')
    write("weight_index", "deep", "[" * 300 + "]" * 300)
    write("weight_index", "cut", '{"weight_map":{"a":"mod')
    write("weight_index", "bad_utf8", b'{"weight_map":{"\xc3":"a"}}')


def make_model_config():
    llama = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 48,
             "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64,
             "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
             "hidden_act": "silu"}
    changes = {
        "sound": {}, "zero_heads": {"num_attention_heads": 0}, "zero_kv_heads": {"num_key_value_heads": 0},
        "negative_layers": {"num_hidden_layers": -1}, "huge": {"hidden_size": 1 << 31}, "huger": {"hidden_size": 1 << 63},
        "float": {"hidden_size": 32.5}, "text": {"hidden_size": "32"}, "no_vocabulary": {"vocab_size": 0},
        "odd_heads": {"num_attention_heads": 5}, "kv_do_not_divide": {"num_key_value_heads": 3},
        "rope_llama3": {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                         "original_max_position_embeddings": 64}},
        "rope_unknown": {"rope_scaling": {"rope_type": "yarn"}}, "rope_list": {"rope_scaling": []},
        "rope_factor_0": {"rope_scaling": {"rope_type": "linear", "factor": 0}},
        "unknown": {"model_type": "mamba"}, "gelu": {"hidden_act": "gelu"}, "epsilon": {"rms_norm_eps": -1},
        "head_dim": {"head_dim": 7}, "largest_sizes": {"vocab_size": 2147483647, "hidden_size": 2147483644,
                                                       "intermediate_size": 2147483647},
    }
    for other in ("mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "gpt2", "gpt_neox", "mixtral"):
        changes[other] = {"model_type": other, "sliding_window": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
                          "layer_types": ["sliding_attention", "full_attention"], "n_embd": 32, "n_head": 4, "n_layer": 2}
    for name, change in changes.items():
        write("model_config", name, json.dumps({**llama, **change}))
    write("model_config", "empty", "{}")
    write("model_config", "list", "[]")
    write("model_config", "deep", '{"a":' * 100 + "1" + "}" * 100)
    write("model_config", "exponent", json.dumps(llama).replace("10000.0", "1e400"))


def byte_alphabet():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for byte in range(256):
        letters[byte] = chr(byte) if byte in plain else chr(256 + extra)
        extra += byte not in plain
    return letters


def make_tokenizer():
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: i for i, token in enumerate(special)}
    for letter in byte_alphabet().values():
        vocabulary[letter] = len(vocabulary)
    merges = [["t", "h"], ["h", "e"], ["th", "e"], ["\u0120", "t"], ["\u0120", "the"]]
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}

    def document(**changes):
        model = {"type": "BPE", "vocab": vocabulary, "merges": merges, **changes.pop("model", {})}
        return {"version": "1.0", "truncation": None, "padding": None,
                "added_tokens": [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                                  "normalized": False, "special": True} for i, token in enumerate(special)],
                "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": {"type": "ByteLevel"},
                **changes, "model": model}

    added = document()["added_tokens"]
    cases = {
        "sound": document(),
        "digits": document(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]}),
        "unknown_pre_tokenizer": document(pre_tokenizer={"type": "Metaspace"}),
        "added_beyond": document(added_tokens=[{**added[0], "id": 1 << 31}]),
        "added_negative": document(added_tokens=[{**added[0], "id": -5}]),
        "added_empty": document(added_tokens=[{**added[0], "content": ""}]),
        "added_twice": document(added_tokens=[added[0], added[0]]),
        "added_stripped": document(added_tokens=[{**added[0], "lstrip": True, "single_word": True}]),
        "template": document(post_processor={"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}}}),
    }
    small = {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    for name, model in {
            "byte_fallback": {**small, "byte_fallback": True, "unk_token": "a"}, "id_too_large": {"vocab": {"a": 1 << 40}},
            "id_negative": {"vocab": {"a": -1}}, "id_twice": {"vocab": {"a": 0, "b": 0}}, "merge_unknown": {**small, "merges": [["x", "y"]]},
            "merge_three": {**small, "merges": [["a", "b", "c"]]}, "merge_text": {**small, "merges": ["a b"]},
            "merge_cut": {**small, "merges": ["ab"]}, "unigram": {"type": "Unigram", "vocab": [["a", -1.5]]},
            "wordpiece": {"type": "WordPiece", "vocab": {"[UNK]": 0}}, "no_vocabulary": {"vocab": {}, "merges": []},
            "dropout": {**small, "dropout": 0.1}}.items():
        cases[name] = document(model=model, added_tokens=[])
    for name, extra in {
            "sentencepiece": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                              {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}, "pre_tokenizer": None,
                              "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                              {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}},
            "split": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"},
                      "behavior": "Isolated", "invert": False}, {**byte_level, "use_regex": False}]}},
            "nfc": {"normalizer": {"type": "NFC"}}}.items():
        cases[name] = document(**extra)
    for name, content in cases.items():
        write("tokenizer", name, json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    write("tokenizer", "empty", "{}")
    write("tokenizer", "cut", json.dumps(document())[:300])
    write("tokenizer", "bad_utf8", b'{"model":{"type":"BPE","vocab":{"\xed\xa0\x80":0},"merges":[]}}')


def make_adapter_config():
    lora = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "bias": "none", "task_type": "CAUSAL_LM"}
    changes = {
        "sound": {}, "pattern": {"target_modules": r".*\.(q|v)_proj"}, "all_linear": {"target_modules": "all-linear"},
        "bad_pattern": {"target_modules": "(("}, "slow_pattern": {"target_modules": "(a+)+$" * 8},
        "recursive_pattern": {"target_modules": "(?R)*"}, "long_pattern": {"target_modules": "(" * 400 + ")" * 400},
        "zero_rank": {"r": 0}, "huge_rank": {"r": 1 << 40}, "text_rank": {"r": "4"}, "real_rank": {"r": 4.5},
        "ranks": {"rank_pattern": {"q_proj": 2, "^model.layers.0": 8}, "alpha_pattern": {"v_proj": 1}},
        "bad_ranks": {"rank_pattern": {"((": 2}}, "rank_list": {"rank_pattern": [1]}, "dora": {"use_dora": True}, "rslora": {"use_rslora": True},
        "bias": {"bias": "all"}, "layers": {"layers_to_transform": [0, 1], "layers_pattern": "layers"},
        "negative_layer": {"layers_to_transform": -1}, "excluded": {"exclude_modules": ["lm_head"]}, "unknown": {"surprise": 1},
        "infinite": {"lora_alpha": 1e308}, "null": {"target_modules": None}, "other": {"peft_type": "IA3"},
    }
    for name, change in changes.items():
        write("adapter_config", name, json.dumps({**lora, **change}))
    write("adapter_config", "empty", "{}")
    write("adapter_config", "list", "[]")


ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))


def hostile_yaml(fmt):
    for name, content in {
            "alias_bomb": ALIAS_BOMB + "models: *j\n", "alias_loop": "a: &a [*a]\n", "deep_flow": "[" * 150 + "]" * 150,
            "deep_map": "{a: " * 150 + "1" + "}" * 150, "deep_blocks": "".join(" " * i + "a:\n" for i in range(150)),
            "deep_lists": "- " * 150 + "x\n", "tab": "a:\n\tb: 1\n", "two_documents": "a: 1\n---\nb: 2\n", "empty": "",
            "only_text": "text", "bad_escape": 'a: "\\q"\n', "tag": "!!binary |\n  aGVs\n", "merge_key": "a: &a {b: 1}\n<<: *a\n",
            "complex_key": "? [a, b]\n: 1\n", "unknown_alias": "a: *b\n", "long_key": "k" * 2000 + ": 1\n", "bom": "\ufeffa: 1\n"}.items():
        write(fmt, name, content)
    write(fmt, "bad_utf8", b"a: \xff\xfe\n")
    write(fmt, "zero", b"a: \0\n")


def make_recipe():
    hostile_yaml("recipe")
    cases = {
        "linear": "models:\n  - model: a\n    parameters: {weight: 0.5}\n  - model: b\n    parameters: {weight: 0.5}\nmerge_method: linear\ndtype: bfloat16\n",
        "ties": "models:\n- model: a\n  parameters: {density: [0.2, 1], weight: [{filter: mlp, value: 0.3}, {value: 1}]}\n- {model: b}\n"
                "base_model: c\nmerge_method: ties\nparameters: {normalize: true, lambda: 0.9}\nout_dtype: float16\n",
        "slerp": "slices:\n- sources:\n  - {model: a, layer_range: [0, 4]}\n  - {model: b, layer_range: [0, 4]}\nmerge_method: slerp\nbase_model: a\n"
                 "parameters: {t: [{filter: self_attn, value: [0, 0.5, 1]}, {value: 0.5}]}\n",
        "passthrough": "slices:\n- sources: [{model: a, layer_range: [0, 3]}]\n- sources: [{model: a, layer_range: [1, 4]}]\nmerge_method: passthrough\n",
        "layer_path": "base_model: a\nlayer_path:\n  scale_rule: stream\n  hops:\n  - {model: a, layer_range: [0, 3], scale: -0.25}\n"
                      "  - {model: b+c, layer: 1}\n  - {model: a, layer: 2, scale: 1e-3}\ndtype: float32\n",
        "layer_path_wrong": "layer_path: {hops: [{model: a, layer_range: [0, 9223372036854775807]}, {model: a, layer: 9223372036854775807}]}\n"
                            "merge_method: passthrough\n",
        "vocabularies": "models: [{model: a}, {model: b+c}]\nmerge_method: linear\nchat_template: chatml\ntokenizer:\n  source: union\n"
                        "  pad_to_multiple_of: 64\n  tokens:\n    <|x|>: {source: {kind: model_token, model: a, token_id: 3}, force: true}\n"
                        "    y: {source: {kind: model_token, model: {model: {path: b}}, token: z}}\n    z: {source: {kind: zero}}\n    w: {source: b+c}\n",
        "vocabularies_wrong": "models: [{model: a}]\nmerge_method: linear\ntokenizer: {pad_to_multiple_of: -1, tokens: [x]}\ntokenizer_source: base\n",
        "modules": "modules: {text: {merge_method: linear, models: [{model: a}]}}\n",
        "unknown_method": "models: [{model: a}]\nmerge_method: magic\n", "unknown_key": "models: [{model: a}]\nmerge_methd: linear\n",
        "backwards": "slices: [{sources: [{model: a, layer_range: [4, 1]}]}]\nmerge_method: linear\n",
        "huge_range": "slices: [{sources: [{model: a, layer_range: [0, 9223372036854775807]}]}]\nmerge_method: linear\n",
        "nan": "models: [{model: a, parameters: {weight: .nan}}]\nmerge_method: linear\n",
        "density_2": "models: [{model: a, parameters: {density: 2}}]\nbase_model: b\nmerge_method: dare_ties\nrandom_seed: -1\n",
        "adapter": "models: [{model: a+b}, {model: +}, {model: ''}]\nmerge_method: linear\n",
        "tokenizer": "models: [{model: a}]\nmerge_method: linear\ntokenizer: {source: union, tokens: {x: {source: a, force: true}}}\nchat_template: auto\n"}
    for method in ("dare_linear", "della", "della_linear", "breadcrumbs", "breadcrumbs_ties", "model_stock", "nuslerp", "multislerp",
                   "karcher", "sce", "ram", "arcee_fusion", "nearswap"):
        cases[method] = (f"models: [{{model: a, parameters: {{weight: 0.4, density: 0.5, epsilon: 0.1, gamma: 0.01}}}}, {{model: b}}]\n"
                         f"base_model: c\nmerge_method: {method}\nparameters: {{t: 0.1, select_topk: 0.5}}\n")
    for name, content in cases.items():
        write("recipe", name, content)


def make_evolve_config():
    hostile_yaml("evolve_config")
    sound = ("galapagos: 1\nname: q\nseed: 1\nmodels:\n  base: b\n  sources:\n  - {name: m, model: b, adapter: e}\n  - b+e2\n"
             "merge: {method: task_arithmetic}\nsearch:\n  layer_groups: 3\n  modules: [attention, mlp]\n"
             "  genes: {weight: {lower: 0, upper: 1.5, initial: 0.7}}\n  optimizer: {name: cma_es, population: 8}\n"
             "tasks: [t.yaml, {file: u.yaml, weight: 0.5}]\nevaluation: {dtype: bf16, max_batch: 60}\nislands: {count: 2}\n"
             "migration: {topology: ring, interval: 2, elites: 1}\nbudget: {evaluations: 56}\n")
    cases = {"sound": sound, "no_budget": sound.replace("budget: {evaluations: 56}\n", ""),
             "huge": sound.replace("56", "99999999999999999999"), "negative": sound.replace("count: 2", "count: -2"),
             "islands": sound.replace("{count: 2}", "{count: 2, overrides: [{islands: [1], optimizer: {name: ga}}]}"),
             "genes": sound.replace("{lower: 0, upper: 1.5, initial: 0.7}", "[0, 1]").replace("weight:", "density:"),
             "choice": sound.replace("{weight: {lower: 0, upper: 1.5, initial: 0.7}}", "{method: [ties, linear], lambda: 1, normalize: [true, false]}"),
             "backwards": sound.replace("lower: 0", "lower: 9"), "format_2": sound.replace("galapagos: 1", "galapagos: 2"),
             "version_text": sound.replace("galapagos: 1", "galapagos: one"), "no_sources": sound.replace("- {name: m, model: b, adapter: e}\n  - b+e2", "[]"),
             "infinite": sound.replace("0.7", ".inf"), "same_name": sound.replace("- b+e2", "- {name: m, model: b}"),
             "plus": sound.replace("b+e2", "+"), "tenths": sound.replace("0.5}", "1e-400}"), "unknown": sound + "bugdet: {}\n",
             "paths": sound.replace("merge: {method: task_arithmetic}\n", "").replace(
                 "  layer_groups: 3\n  modules: [attention, mlp]\n  genes: {weight: {lower: 0, upper: 1.5, initial: 0.7}}\n",
                 "  space: dfs\n  path: {repeats: 2, block: 4, indicators: real, scales: pairs, scale: {lower: 0.1, upper: 1.9, initial: 1},"
                 " scale_rule: stream, max_hops: 80}\n"),
             "list_sections": "galapagos: 1\nmodels: []\nmerge: []\nsearch: 3\n"}
    for name, content in cases.items():
        write("evolve_config", name, content)


def make_items():
    good = {"id": "a", "question": "1+1?", "answer": 2, "options": ["1", "2"], "label": 1, "split": "train"}
    lines = {"sound": [good, {**good, "id": "b", "question": "2+2?", "split": "test"}], "twice": [good, good],
             "leak": [good, {**good, "id": "b", "split": "test"}], "no_answer": [{"id": "a", "question": "q"}], "list": [[]],
             "number": [3], "gold_range": [{**good, "label": 9}], "gold_negative": [{**good, "label": -1}], "gold_text": [{**good, "label": "2"}],
             "gold_list": [{**good, "label": [0, 1]}], "gold_empty": [{**good, "label": []}], "options_text": [{**good, "options": "12"}],
             "options_empty": [{**good, "options": []}], "options_numbers": [{**good, "options": [1, 2]}], "split": [{**good, "split": "dev"}],
             "id_real": [{**good, "id": 1.5}], "id_large": [{**good, "id": 1 << 63}], "id_null": [{**good, "id": None}],
             "decimal": [{**good, "answer": "1,234.50e-7"}], "wide": [{**good, "answer": "\uff13\uff10"}], "exponent": [{**good, "answer": "1e999999999999"}],
             "answers": [{**good, "answer": [2, "2.0"]}], "answers_empty": [{**good, "answer": []}],
             "infinity": [{**good, "answer": "-"}], "braces": [{**good, "question": "{answer} {{}}"}], "nested": [{**good, "question": {"a": 1}}]}
    for name, content in lines.items():
        write("items", name, "\n".join(json.dumps(line, ensure_ascii=False) for line in content) + "\n")
    write("items", "empty", "")
    write("items", "blank_lines", "\n \r\n" + json.dumps(good) + "\r\n")
    write("items", "cut", '{"id": "a", "que')
    write("items", "deep", '{"a":' * 100 + "1" + "}" * 100)
    write("items", "bad_utf8", b'{"id": "\xff"}\n')
    write("items", "zero", b'{"id": "a"}\0\n')
    write("items", "key_twice", '{"id": "a", "id": "b"}\n')


def make_history():
    writer = pathlib.Path(os.environ.get("GALAPAGOS_BINARY_DIR", HERE.parents[1] / "build/ci")) / "tests/history/sample_writer"
    if not writer.exists():
        print(f"make_corpus: no {writer}: the histories stay as they are", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        (run / "islands").mkdir(parents=True)
        subprocess.run([writer, "part", run, "0", "1", "0", "2"], check=True, stdout=subprocess.DEVNULL)
        part = next(run.rglob("*.part001.h5")).read_bytes()
        whole = pathlib.Path(folder) / "whole"
        subprocess.run([writer, "run", whole], check=True, stdout=subprocess.DEVNULL)
        index = next(whole.rglob("run.h5")).read_bytes()
    write("history", "part.gz", gzip.compress(part, mtime=0))  # mostly empty chunks; run.sh unpacks it
    write("history", "index", index)
    signature = part[:8]
    for name, content in {
            "empty": b"", "signature": signature, "superblock_0": signature + b"\0" + part[9:96], "superblock_1": signature + b"\1" + part[9:96],
            "superblock_4": signature + b"\4" + part[9:96], "cut": part[:3000], "open_writer": part[:11] + b"\5" + part[12:2048],
            "sizes": part[:9] + b"\2\2" + part[11:96], "end_beyond": part[:28] + struct.pack("<Q", 1 << 60) + part[36:2048],
            "root_nowhere": part[:36] + struct.pack("<Q", (1 << 64) - 1) + part[44:2048]}.items():
        write("history", name, content)


def cbor(value):
    if isinstance(value, dict):
        return bytes([0xA0 + len(value)]) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([0x80 + len(value)]) + b"".join(map(cbor, value))
    if isinstance(value, str):
        text = value.encode()
        return (bytes([0x60 + len(text)]) if len(text) < 24 else b"\x79" + struct.pack(">H", len(text))) + text
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    return bytes([value]) if value < 24 else b"\x1b" + struct.pack(">Q", value)


def make_checkpoint():
    def checkpoint(state, version=1, length=None, digest=None):
        body = (b"GALPCKPT" + struct.pack("<IIQQ", version, 0, 1, len(state) if length is None else length) + b"0" * 64 + state)
        return body + (digest or hashlib.sha256(body).hexdigest().encode())

    number = "3fe0000000000000"
    states = {"empty_map": {}, "asked_only": {"asked": 4}}
    for kind in ("ga", "cma_es", "random"):
        common = {"kind": kind, "name": kind, "population": 4, "seed": 1, "island": 0, "asked": 0, "generation": 0, "outstanding": []}
        states[kind] = {**common, "mean": number * 2, "sigma": number, "covariance": number * 4, "axes": number * 4, "lengths": number * 2}
    for name, state in states.items():
        write("checkpoint", name, checkpoint(cbor(state)))
        write("checkpoint", name + "_state", cbor(state))
    for name, content in {
            "empty": b"", "magic": b"GALPCKPT", "version_2": checkpoint(b"\xa0", version=2), "length": checkpoint(b"\xa0", length=(1 << 64) - 1),
            "digest": checkpoint(b"\xa0", digest=b"0" * 64), "cut": checkpoint(b"\xa0")[:50], "deep": checkpoint(b"\x81" * 2000),
            "deep_state": b"\x81" * 2000, "huge_list": b"\x9b" + b"\xff" * 8, "huge_text": b"\x7b" + b"\x7f" * 8, "endless": b"\x9f" * 20,
            "tag": b"\xc1\x00", "half": b"\xf9\x7e\x00", "bad_key": b"\xa1\x01\x02"}.items():
        write("checkpoint", name, content)


for maker in (make_safetensors, make_weight_index, make_model_config, make_tokenizer, make_adapter_config, make_recipe, make_evolve_config,
              make_items, make_history, make_checkpoint):
    maker()
