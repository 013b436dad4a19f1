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


def types_of(path):
    """Types that a file defines at namespace scope, with their namespace; those of unnamed namespaces are the file's own."""
    spaces = []
    for line in path.read_text().splitlines():
        if opened := re.match(r"namespace\s*([\w:]*)\s*\{", line):
            spaces.append(opened[1])
        elif re.match(r"\}\s*// namespace", line):
            spaces.pop()
        elif (defined := re.match(r"(?:struct|class|enum class|union)\s+(?:alignas\(\w+\)\s+)?(\w+)\s*(?:final\s*)?(?:\{|:(?!:)|$)", line)) and "" not in spaces:
            yield "::".join([*spaces, defined[1]])


def test_every_type_has_one_definition():
    """Two types of one name in one namespace are one type to the linker, whatever they hold: it keeps one copy of std::vector<Name>."""
    places = {}
    for path in (ROOT / "src").rglob("*"):
        if path.suffix in {".hpp", ".cpp", ".cu", ".cuh"}:
            for name in types_of(path):
                places.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert not {name: sorted(files) for name, files in places.items() if len(files) > 1}
