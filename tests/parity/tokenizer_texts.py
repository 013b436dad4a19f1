"""Texts on which tokenizers are compared: sentences, awkward fragments, and random mixtures of both."""

import random

SENTENCES = [
    "The answer is 30. They've said it's 1,234.50, haven't we'll I'm you'd don't THEY'RE",
    "def merge(a, b):\n    return [x + y for x, y in zip(a, b)]  # sum\n\tif a != b: pass\r\n",
    "Tom has 3 apples and buys 4 more; how many apples does Tom have now? Answer in JSON.",
    "東京は日本の首都です。太郎はりんごを三個、バナナを12個持っています。答えは１５です。",
    "Привет, мир! Сегодня 17 марта 2024 года. Ελληνικά γράμματα. العربية ١٢٣ हिन्दी में १२ ភាសាខ្មែរ",
    "naïve café — “quoted” … 👩‍👩‍👧‍👦 🇯🇵 👍🏽 ½ Ⅳ ² x² α≤β  \u00a0nbsp\u2003em\u3000ideographic",
    'https://example.org/a?b=c&d=e#f user@mail.net <html><body class="x">&amp;</body></html>',
    "          indented\n\n\n\nparagraphs\t\ttabs   \n   trailing   ",
]
# fmt: off
FRAGMENTS = [
    "'s", "'t", "'re", "'VE", "'ll", "'d", "’s", " '", "''", "<|im_start|>", "<|im_end|>",
    "<|im_", "|>", "<|endoftext|>", "[L]", "[R]", "[W]", "[N]", "[LR]", "[LL]", "  [L]  ",
    " [R] \n ", "a[W]", "[W]b", "é[W]", "[W]_", "\u200d[W]", "Ⓐ[W]", " [W] ", "[R]\u00a0\u2003x",
    "x\u0085[L]", "\r\n", "\n\n", "\t", "    ", " \n", "\u0085", "\u180e", "\u200b", "\ufeff",
    "\u00a0", "\u2028", "\u3000", "\u1680", "\u001c", "\u0000", "\u0301", "e\u0301", "가", "각",
    "0123", "٠١", "१२", "½", "Ⅷ", "３０", "𝟘𝟙", "\U00011de3", "\U00016ff4", "\ua7ce", "👩‍👩‍👧‍👦",
    "🇯🇵", "👍🏽", "\U000e0001", "\U0010ffff", "\ue000", "\ufffd", "Ġ", "Ċ", "ĠĠ", "▁", "ស្រុក",
    "ไทย", "ﷺ", "ß", "İ", "ŉ", "_", "-", "...", "!?", "\\n", '"', "{", "}", "word", "Words", "x1",
    "1x", "a 1", "日本", "です。", "ー", "'S", "'ſ", "'Ll", "'rE", "'VE'm", "'D'd", "'K", "'\u017ft", "''s",
    "<0xE3>", "<0x0A>", "<0xe3>", "<0x+5>", "<unk>", "<s>", "</s>", "<bos>", "<start_of_turn>", "▁▁", " ▁", "▁ a", "\r", "\r\r\n",
    " \n \n x", "\n ", "!\n\n", " !\r\n", "1234567", "१२३४", "𝟘𝟙𝟚𝟛", "½¾", "a\u0301b", "\u0301\u0301", "q\u0323\u0307",
    "q\u0307\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u212b\u2126", "\ufb01", "が", "か\u3099", "ひ\u309a", "\u0f73\u0f71",
    "\u0344", "\u1e9b\u0323", "\U00011938", "\U00011935\U00011930", "\u0958", "\u2adc", "ｶﾞ", "①", "\u00c5", "fi", "\u09fe\u0301",
]
# fmt: on
SPACES = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f"
    "\u205f\u2060\u3000\ufeff"
)


def random_code_point(random_source):
    """One character of any plane, small code points more often; never a surrogate."""
    limit = random_source.choice([0x80, 0x250, 0x800, 0x3100, 0x10000, 0x20000, 0x110000])
    while True:
        code_point = random_source.randrange(limit)
        if not 0xD800 <= code_point < 0xE000:
            return chr(code_point)


def random_text(random_source):
    parts = []
    for _ in range(random_source.randrange(1, 14)):
        kind = random_source.randrange(5)
        if kind == 0:
            sentence = random_source.choice(SENTENCES)
            start = random_source.randrange(len(sentence))
            parts.append(sentence[start : start + random_source.randrange(1, 40)])
        elif kind == 1:
            parts.append(
                "".join(random_source.choice(SPACES) for _ in range(random_source.randrange(1, 5)))
            )
        elif kind == 2:
            parts.append(
                "".join(
                    random_code_point(random_source) for _ in range(random_source.randrange(1, 8))
                )
            )
        else:
            parts.append(random_source.choice(FRAGMENTS))
    return "".join(parts)


def adversarial_texts():
    """Single fragments, pairs that meet at a boundary, long runs."""
    texts = [""] + FRAGMENTS + SENTENCES
    texts += [left + right for left in FRAGMENTS[::3] for right in FRAGMENTS[::5]]
    texts += [
        unit * count
        for unit in ("a", " ", "\n", "é", "12", " a", "👍", "[L] ", "ab")
        for count in (2, 3, 255, 256, 257, 5000)
    ]
    return texts


def make_texts(count, seed):
    random_source = random.Random(seed)
    texts = adversarial_texts()[:count]
    return texts + [random_text(random_source) for _ in range(count - len(texts))]
