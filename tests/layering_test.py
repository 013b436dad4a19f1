"""Includes go one way: from app down to base, never up."""

import pathlib
import re

LAYERS = ["base", "comm", "weights", "merge", "tokenizer", "model", "task", "genome", "evolve", "history", "island", "forecast", "app"]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_no_file_includes_a_higher_layer():
    rank = {layer: i for i, layer in enumerate(LAYERS)}
    upward = []
    files = [path for path in (ROOT / "src").rglob("*") if path.suffix in {".hpp", ".cpp", ".cu", ".cuh"}]
    assert files, "no sources found"
    for path in files:
        layer = path.relative_to(ROOT / "src").parts[0]
        for included in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
            other = included.split("/")[0]
            if other in rank and rank[other] > rank[layer]:
                upward.append(f"{path.relative_to(ROOT)} includes {included}")
    assert not upward, "\n".join(upward)


def test_folders_are_the_layers():
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders <= set(LAYERS), folders - set(LAYERS)


def test_only_the_model_includes_torch():
    for path in (ROOT / "src").rglob("*.*pp"):
        if re.search(r"#\s*include\s+<(ATen|torch|c10)/", path.read_text()):
            assert path.relative_to(ROOT / "src").parts[0] == "model", path
