#!/usr/bin/env python3
"""Writes normalization_tables.cpp: decompositions, combining classes and compositions.

    cd src/tokenizer
    ../../.deps/venv/bin/python make_normalization_tables.py > normalization_tables.cpp

The Hugging Face library normalises with a Unicode version of its own (9.0, with some later additions), so the
library itself is asked what it does with every character. Only two things come from Python's unicodedata, which
never change once a character is assigned: the value of a combining class, and the two halves of a composition.
"""

import sys
import unicodedata

from tokenizers import normalizers

HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic
CODE_POINTS = [
    c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in HANGUL
]


def decompositions(normalizer, without=None):
    changed = {}
    for code_point in CODE_POINTS:
        result = normalizer.normalize_str(chr(code_point))
        if result != chr(code_point) and (
            without is None or without.get(code_point) != result
        ):
            changed[code_point] = result
    return changed


def combining_classes(nfd):
    """A mark changes places with one of a lower class behind it, or of a higher class before it."""
    classes = {}
    for code_point in CODE_POINTS:
        mark = chr(code_point)
        value = unicodedata.combining(mark)
        low, high = f"a{mark}\u0334", f"a\u0345{mark}"  # classes 1 and 240
        if value and (nfd.normalize_str(low) != low or nfd.normalize_str(high) != high):
            classes[code_point] = value
    return classes


def compositions(canonical):
    nfc = normalizers.NFC()
    pairs = {}
    for code_point in canonical:
        halves = unicodedata.decomposition(chr(code_point)).split()
        if len(halves) == 2 and nfc.normalize_str(chr(code_point)) == chr(code_point):
            pairs[tuple(int(half, 16) for half in halves)] = code_point
    return pairs


def print_table(declaration, entries):
    print(f"{declaration}{{{{")
    line = "   "
    for entry in entries:
        if len(line) + len(entry) + 2 > 100:
            print(line)
            line = "   "
        line += f" {entry},"
    print(line)
    print("}};")


def print_decompositions(name, table, pool):
    entries = []
    for code_point, result in sorted(table.items()):
        entries.append(f"{{0x{code_point:X}, {len(pool)}, {len(result)}}}")
        pool.extend(result)
    print_table(f"const std::array<Decomposition, {name}_count> {name}", entries)
    return len(entries)


def main():
    nfd = normalizers.NFD()
    canonical = decompositions(nfd)
    compatible = decompositions(normalizers.NFKD(), without=canonical)
    classes = combining_classes(nfd)
    pairs = compositions(canonical)
    pool = []
    print("// Written by make_normalization_tables.py; do not edit.")
    print('#include "tokenizer/normalization_tables.hpp"\n')
    print("namespace galapagos {\n\n// clang-format off")
    counts = {
        "canonical_decomposition_count": print_decompositions(
            "canonical_decomposition", canonical, pool
        ),
        "compatibility_decomposition_count": print_decompositions(
            "compatibility_decomposition", compatible, pool
        ),
        "decomposition_pool_count": len(pool),
        "combining_class_count": len(classes),
        "composition_count": len(pairs),
    }
    print_table(
        "const std::array<char32_t, decomposition_pool_count> decomposition_pool",
        [f"0x{ord(c):X}" for c in pool],
    )
    print_table(
        "const std::array<CombiningClass, combining_class_count> combining_class",
        [f"{{0x{c:X}, {v}}}" for c, v in sorted(classes.items())],
    )
    print_table(
        "const std::array<Composition, composition_count> composition",
        [f"{{0x{a:X}, 0x{b:X}, 0x{c:X}}}" for (a, b), c in sorted(pairs.items())],
    )
    print("// clang-format on\n\n}  // namespace galapagos")
    for name, count in counts.items():
        print(
            f"normalization_tables.hpp: inline constexpr std::size_t {name} = {count};",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
