#include "tokenizer/utf8.hpp"

#include <algorithm>

namespace galapagos {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

unsigned char byte_at(std::string_view text, std::size_t offset) {
    return static_cast<unsigned char>(text[offset]);
}

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length that a leading byte announces; 0 for a byte that can't lead.
std::size_t announced_length(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// Some second bytes would make an overlong form, a surrogate or a value beyond U+10FFFF (Unicode
// table 3-7).
bool is_second_byte_allowed(unsigned char lead, unsigned char second) {
    switch (lead) {
        case 0xE0:
            return second >= 0xA0 && second <= 0xBF;
        case 0xED:
            return second >= 0x80 && second <= 0x9F;
        case 0xF0:
            return second >= 0x90 && second <= 0xBF;
        case 0xF4:
            return second >= 0x80 && second <= 0x8F;
        default:
            return is_continuation(second);
    }
}

struct Sequence {
    std::size_t size;  // bytes that belong together, at least 1
    bool complete;     // they are a character
    bool cut_off;      // they would be one if more bytes followed
};

// The longest well-formed beginning of a character at `offset`.
Sequence sequence_at(std::string_view bytes, std::size_t offset) {
    const unsigned char lead = byte_at(bytes, offset);
    const std::size_t length = announced_length(lead);
    if (length == 0) {
        return {1, false, false};
    }
    std::size_t size = 1;
    while (size < length && offset + size < bytes.size()) {
        const unsigned char next = byte_at(bytes, offset + size);
        const bool allowed = size == 1 ? is_second_byte_allowed(lead, next) : is_continuation(next);
        if (!allowed) {
            return {size, false, false};
        }
        ++size;
    }
    return {size, size == length, size < length};
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t offset) {
    const unsigned char lead = byte_at(text, offset);
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t size = announced_length(lead);
    char32_t value = lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        value = (value << 6) | (byte_at(text, offset + i) & 0x3FU);
    }
    return {value, size};
}

CodePoint code_point_before(std::string_view text, std::size_t offset) {
    std::size_t begin = offset - 1;
    while (begin > 0 && is_continuation(byte_at(text, begin))) {
        --begin;
    }
    return code_point_at(text, begin);
}

std::string to_utf8(char32_t code_point) {
    const auto byte = [](char32_t value) {
        return static_cast<char>(static_cast<unsigned char>(value));
    };
    if (code_point < 0x80) {
        return {byte(code_point)};
    }
    if (code_point < 0x800) {
        return {byte(0xC0 | code_point >> 6), byte(0x80 | (code_point & 0x3F))};
    }
    if (code_point < 0x10000) {
        return {byte(0xE0 | code_point >> 12), byte(0x80 | (code_point >> 6 & 0x3F)),
                byte(0x80 | (code_point & 0x3F))};
    }
    return {byte(0xF0 | code_point >> 18), byte(0x80 | (code_point >> 12 & 0x3F)),
            byte(0x80 | (code_point >> 6 & 0x3F)), byte(0x80 | (code_point & 0x3F))};
}

std::size_t find_invalid_utf8(std::string_view text) {
    std::size_t offset = 0;
    while (offset < text.size()) {
        const Sequence sequence = sequence_at(text, offset);
        if (!sequence.complete) {
            return offset;
        }
        offset += sequence.size;
    }
    return text.size();
}

std::size_t count_code_points(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return !is_continuation(static_cast<unsigned char>(c));
    }));
}

std::string replace_invalid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    std::size_t offset = 0;
    while (offset < bytes.size()) {
        const Sequence sequence = sequence_at(bytes, offset);
        text += sequence.complete ? bytes.substr(offset, sequence.size) : replacement_character;
        offset += sequence.size;
    }
    return text;
}

std::size_t incomplete_utf8_tail(std::string_view bytes) {
    const std::size_t reach = std::min<std::size_t>(bytes.size(), 3);
    for (std::size_t size = 1; size <= reach; ++size) {
        const std::size_t offset = bytes.size() - size;
        if (!is_continuation(byte_at(bytes, offset))) {
            const Sequence sequence = sequence_at(bytes, offset);
            return sequence.cut_off ? size : 0;
        }
    }
    return 0;
}

}  // namespace galapagos
