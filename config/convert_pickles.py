#!/usr/bin/env python3
"""Writes the weights of a model folder that has PyTorch pickles (pytorch_model*.bin) as safetensors, beside them.

    config/convert_pickles.py MODEL

MODEL is a folder as transformers wrote them before safetensors; older models of hubs are such. One shard is in memory at
a time. Nothing in the pickles but tensors is read. Needs torch and safetensors.
"""

import argparse
import json
import pathlib
import pickle
import sys
import zipfile

SINGLE = "pytorch_model.bin"
INDEX = "pytorch_model.bin.index.json"


class ConversionError(Exception):
    pass


def shards_of(folder):
    """File names of the pickles, in order."""
    if (folder / SINGLE).is_file():
        return [SINGLE]
    if not (folder / INDEX).is_file():
        raise ConversionError(f"{folder} has neither {SINGLE} nor {INDEX}")
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    shards = sorted(set(index["weight_map"].values()))
    for shard in shards:
        if pathlib.PurePath(shard).name != shard or not (folder / shard).is_file():
            raise ConversionError(f"{folder / INDEX} names {shard}, which is not there; download it")
    return shards


def read_tensors(path):
    import torch

    try:
        state = torch.load(path, map_location="cpu", mmap=zipfile.is_zipfile(path), weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConversionError(f"{path} holds something else than tensors ({str(error).splitlines()[0]})") from None
    # Tied weights share memory in a pickle, and a safetensors file has each by itself.
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items() if torch.is_tensor(tensor)}


def convert(folder):
    from safetensors.torch import save_file

    if any(folder.glob("*.safetensors")):
        raise ConversionError(f"{folder} has safetensors files already")
    shards = shards_of(folder)
    written, weight_map, total = {}, {}, 0
    try:
        for shard in shards:
            tensors = read_tensors(folder / shard)
            target = folder / shard.replace("pytorch_model", "model").replace(".bin", ".safetensors")
            written[target] = target.with_name(target.name + ".partial")
            save_file(tensors, written[target], metadata={"format": "pt"})
            weight_map.update(dict.fromkeys(tensors, target.name))
            total += sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        for target, partial in written.items():
            partial.replace(target)
    finally:
        for partial in written.values():
            partial.unlink(missing_ok=True)
    if shards != [SINGLE]:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    print(f"{folder}: {len(weight_map)} tensors in {len(shards)} files, {total / 1e9:.1f} GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=pathlib.Path, help="model folder with pytorch_model*.bin")
    arguments = parser.parse_args()
    try:
        convert(arguments.model)
    except ImportError as error:
        sys.exit(f"convert_pickles.py: {error} (pip install torch safetensors numpy packaging)")
    except (ConversionError, OSError, KeyError, ValueError, RuntimeError) as error:
        sys.exit(f"convert_pickles.py: {error}")


if __name__ == "__main__":
    main()
