#include "tokenizer/unicode_normalization.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "tokenizer/normalization_tables.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr std::size_t code_point_count = 0x110000;
constexpr char32_t nothing = 0;  // U+0000 is part of no composition

// Hangul syllables are computed (Unicode standard 3.12).
constexpr char32_t first_syllable = 0xAC00;
constexpr char32_t first_leading = 0x1100;
constexpr char32_t first_vowel = 0x1161;
constexpr char32_t before_trailing = 0x11A7;
constexpr char32_t leading_count = 19;
constexpr char32_t vowel_count = 21;
constexpr char32_t trailing_count = 28;
constexpr char32_t syllable_count = leading_count * vowel_count * trailing_count;

bool is_syllable(char32_t c) { return c >= first_syllable && c - first_syllable < syllable_count; }

std::vector<std::uint8_t> expand_classes() {
    std::vector<std::uint8_t> classes(code_point_count, 0);
    for (const CombiningClass& entry : combining_class) {
        classes[entry.code_point] = entry.value;
    }
    return classes;
}

std::uint8_t class_of(char32_t code_point) {
    static const std::vector<std::uint8_t> classes = expand_classes();
    return classes[code_point];
}

template <typename Table>
std::span<const char32_t> find_decomposition(const Table& table, char32_t code_point) {
    const auto found = std::lower_bound(
        table.begin(), table.end(), code_point,
        [](const Decomposition& entry, char32_t value) { return entry.code_point < value; });
    if (found == table.end() || found->code_point != code_point) {
        return {};
    }
    return {decomposition_pool.data() + found->offset, found->size};
}

bool is_compatible(NormalForm form) { return form == NormalForm::nfkc || form == NormalForm::nfkd; }

bool is_composed(NormalForm form) { return form == NormalForm::nfc || form == NormalForm::nfkc; }

std::span<const char32_t> decomposition_of(char32_t code_point, NormalForm form) {
    if (is_compatible(form)) {
        if (const auto found = find_decomposition(compatibility_decomposition, code_point);
            !found.empty()) {
            return found;
        }
    }
    return find_decomposition(canonical_decomposition, code_point);
}

void append_syllable(char32_t syllable, std::vector<char32_t>& result) {
    const char32_t index = syllable - first_syllable;
    result.push_back(first_leading + index / (vowel_count * trailing_count));
    result.push_back(first_vowel + index / trailing_count % vowel_count);
    if (index % trailing_count != 0) {
        result.push_back(before_trailing + index % trailing_count);
    }
}

// Marks of one run, which stands between characters of class 0, are ordered by class.
void order_marks(std::vector<char32_t>& points) {
    const auto is_mark = [](char32_t c) { return class_of(c) != 0; };
    auto begin = std::find_if(points.begin(), points.end(), is_mark);
    while (begin != points.end()) {
        const auto end = std::find_if_not(begin, points.end(), is_mark);
        std::stable_sort(begin, end,
                         [](char32_t a, char32_t b) { return class_of(a) < class_of(b); });
        begin = std::find_if(end, points.end(), is_mark);
    }
}

std::vector<char32_t> decompose(std::string_view text, NormalForm form) {
    std::vector<char32_t> points;
    points.reserve(text.size());
    for (std::size_t offset = 0; offset < text.size();) {
        const CodePoint point = code_point_at(text, offset);
        offset += point.size;
        if (is_syllable(point.value)) {
            append_syllable(point.value, points);
            continue;
        }
        const auto parts = decomposition_of(point.value, form);
        if (parts.empty()) {
            points.push_back(point.value);
        } else {
            points.insert(points.end(), parts.begin(), parts.end());
        }
    }
    order_marks(points);
    return points;
}

char32_t compose_pair(char32_t first, char32_t second) {
    if (first >= first_leading && first - first_leading < leading_count && second >= first_vowel &&
        second - first_vowel < vowel_count) {
        return first_syllable +
               ((first - first_leading) * vowel_count + (second - first_vowel)) * trailing_count;
    }
    if (is_syllable(first) && (first - first_syllable) % trailing_count == 0 &&
        second > before_trailing && second - before_trailing < trailing_count) {
        return first + (second - before_trailing);
    }
    const auto key = [](const Composition& entry) { return std::pair(entry.first, entry.second); };
    const auto wanted = std::pair(first, second);
    const auto found = std::lower_bound(
        composition.begin(), composition.end(), wanted,
        [&](const Composition& entry, const auto& value) { return key(entry) < value; });
    return found != composition.end() && key(*found) == wanted ? found->composed : nothing;
}

// Each mark joins the last character of class 0 unless a mark between them, of the same or a higher
// class, blocks it.
void compose(std::vector<char32_t>& points) {
    std::size_t kept = 0;
    std::size_t starter = points.size();  // place of the last character of class 0, if any
    int previous_class = -1;              // of what stands between it and here
    for (const char32_t point : points) {
        const int own_class = class_of(point);
        if (starter < points.size() && previous_class < own_class) {
            if (const char32_t composed = compose_pair(points[starter], point);
                composed != nothing) {
                points[starter] = composed;
                continue;
            }
        }
        if (own_class == 0) {
            starter = kept;
            previous_class = -1;
        } else {
            previous_class = own_class;
        }
        points[kept++] = point;
    }
    points.resize(kept);
}

// Characters that normalisation never touches, whatever stands beside them.
std::vector<bool> find_untouched(NormalForm form) {
    std::vector<bool> untouched(code_point_count, true);
    const auto touch = [&](char32_t first, char32_t count) {
        std::fill_n(untouched.begin() + static_cast<std::ptrdiff_t>(first), count, false);
    };
    for (const CombiningClass& entry : combining_class) {
        touch(entry.code_point, 1);
    }
    for (const Decomposition& entry : canonical_decomposition) {
        touch(entry.code_point, 1);
    }
    if (is_composed(form)) {
        for (const Composition& entry : composition) {
            untouched[entry.composed] = true;
        }
        for (const Composition& entry : composition) {
            touch(entry.second, 1);
        }
        touch(first_vowel, vowel_count);
        touch(before_trailing + 1, trailing_count - 1);
    } else {
        touch(first_syllable, syllable_count);
    }
    if (is_compatible(form)) {
        for (const Decomposition& entry : compatibility_decomposition) {
            touch(entry.code_point, 1);
        }
    }
    return untouched;
}

const std::vector<bool>& untouched_by(NormalForm form) {
    static const std::vector<bool> nfc = find_untouched(NormalForm::nfc);
    static const std::vector<bool> nfd = find_untouched(NormalForm::nfd);
    static const std::vector<bool> nfkc = find_untouched(NormalForm::nfkc);
    static const std::vector<bool> nfkd = find_untouched(NormalForm::nfkd);
    switch (form) {
        case NormalForm::nfc:
            return nfc;
        case NormalForm::nfd:
            return nfd;
        case NormalForm::nfkc:
            return nfkc;
        default:
            return nfkd;
    }
}

}  // namespace

bool is_surely_normalized(std::string_view text, NormalForm form) {
    const std::vector<bool>& untouched = untouched_by(form);
    for (std::size_t offset = 0; offset < text.size();) {
        if (static_cast<unsigned char>(text[offset]) < 0x80) {
            ++offset;
            continue;
        }
        const CodePoint point = code_point_at(text, offset);
        if (!untouched[point.value]) {
            return false;
        }
        offset += point.size;
    }
    return true;
}

std::string normalize_unicode(std::string_view text, NormalForm form) {
    if (is_surely_normalized(text, form)) {
        return std::string(text);
    }
    std::vector<char32_t> points = decompose(text, form);
    if (is_composed(form)) {
        compose(points);
    }
    std::string result;
    result.reserve(text.size());
    for (const char32_t point : points) {
        result += to_utf8(point);
    }
    return result;
}

}  // namespace galapagos
