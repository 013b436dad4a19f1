#!/usr/bin/env python3
"""Writes unicode_tables.cpp, the Unicode properties that the tokenizers' splitters ask for.

    pip install --target /tmp/u16 unicodedata2==16.0.0
    cd src/tokenizer
    PYTHONPATH=/tmp/u16 python3 make_unicode_tables.py > unicode_tables.cpp

Unicode 16.0 is the version of Oniguruma, the regular expression engine inside the Hugging Face
tokenizers library. Its `Digits` component asks Rust's standard library instead, which knows 17.0;
unicode.cpp adds the numbers that came between.
"""

import sys

import unicodedata2

CODE_POINTS = 0x110000
VERSION = "16.0.0"


def category_ranges():
    """Yields (first code point, category) wherever the general category changes."""
    previous = None
    for code_point in range(CODE_POINTS):
        category = unicodedata2.category(chr(code_point))
        if category != previous:
            yield code_point, category
            previous = category


def main():
    if unicodedata2.unidata_version != VERSION:
        raise SystemExit(
            f"unicodedata2 {VERSION} is needed, this is {unicodedata2.unidata_version}"
        )
    ranges = list(category_ranges())
    print("// Written by make_unicode_tables.py from Unicode " + VERSION + "; do not edit.")
    print('#include "tokenizer/unicode_tables.hpp"\n')
    print("namespace galapagos {\n")
    print("using enum Category;\n")
    print("// clang-format off")
    print(f"const std::array<CategoryRange, category_range_count> category_ranges{{{{")
    line = "   "
    for first, category in ranges:
        entry = f" {{0x{first:X}, {category}}},"
        if len(line) + len(entry) > 100:
            print(line)
            line = "   "
        line += entry
    print(line)
    print("}};")
    print("// clang-format on\n")
    print("}  // namespace galapagos")
    print(
        f"{len(ranges)} ranges: category_range_count in unicode_tables.hpp",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
