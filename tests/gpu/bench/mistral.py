"""What the benches share: model folders in the shapes of Mistral-7B whose weights take no room on disk, and gpu_candidate's figures."""

import json
import pathlib
import struct
import subprocess

NO_ROOM = 3  # gpu_candidate's status

SHAPES = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
          "vocab_size": 32000, "max_position_embeddings": 4096}
TINY = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 160, "max_position_embeddings": 512}


def program(binary_dir, tiny):
    return pathlib.Path(binary_dir) / ("tests/emulator/emulated_gpu_candidate" if tiny else "tests/gpu/bench/gpu_candidate")


def figures(command):
    """What gpu_candidate prints last; None where the GPU's memory is too small."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode == NO_ROOM:
        return None
    done.check_returncode()
    return json.loads(done.stdout.splitlines()[-1])


def config(shapes):
    return {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 1e4,
            "tie_word_embeddings": False, "sliding_window": None, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2, **shapes}


def tensors(shapes):
    """{name: shape} of a checkpoint."""
    hidden, wide, vocabulary = shapes["hidden_size"], shapes["intermediate_size"], shapes["vocab_size"]
    narrow = hidden // shapes["num_attention_heads"] * shapes["num_key_value_heads"]
    found = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,), "lm_head.weight": (vocabulary, hidden)}
    for i in range(shapes["num_hidden_layers"]):
        layer = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (narrow, hidden), "self_attn.v_proj": (narrow, hidden),
                 "self_attn.o_proj": (hidden, hidden), "mlp.gate_proj": (wide, hidden), "mlp.up_proj": (wide, hidden),
                 "mlp.down_proj": (hidden, wide), "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
        found.update({f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()})
    return found


def write_folder(folder, shapes):
    """config.json, and model.safetensors of zeros as one hole after its header."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(shapes), indent=2))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors(shapes).items():
        size = 2
        for length in shape:
            size *= length
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return end
