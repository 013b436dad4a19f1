#include "tokenizer/byte_alphabet.hpp"

#include <array>
#include <cstddef>

#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr std::size_t first_substitute = 0x100;
constexpr std::size_t character_count = first_substitute + 68;
constexpr int not_a_byte = -1;

constexpr bool stands_for_itself(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char32_t, 256> make_characters() {
    std::array<char32_t, 256> characters{};
    char32_t substitute = first_substitute;
    for (unsigned byte = 0; byte < 256; ++byte) {
        characters[byte] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : substitute++;
    }
    return characters;
}

constexpr std::array<char32_t, 256> characters = make_characters();

constexpr std::array<int, character_count> make_bytes() {
    std::array<int, character_count> bytes{};
    bytes.fill(not_a_byte);
    for (unsigned byte = 0; byte < 256; ++byte) {
        bytes[characters[byte]] = static_cast<int>(byte);
    }
    return bytes;
}

constexpr std::array<int, character_count> bytes_of_characters = make_bytes();

}  // namespace

char32_t alphabet_character(unsigned char byte) { return characters[byte]; }

std::string to_byte_alphabet(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        text += to_utf8(alphabet_character(static_cast<unsigned char>(byte)));
    }
    return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size());
    for (std::size_t offset = 0; offset < text.size();) {
        const CodePoint point = code_point_at(text, offset);
        if (point.value >= character_count || bytes_of_characters[point.value] == not_a_byte) {
            return std::nullopt;
        }
        bytes += static_cast<char>(static_cast<unsigned char>(bytes_of_characters[point.value]));
        offset += point.size;
    }
    return bytes;
}

}  // namespace galapagos
