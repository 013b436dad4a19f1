#include "tokenizer/unicode.hpp"

#include <gtest/gtest.h>

#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {
namespace {

TEST(Unicode, CategoriesAtTheEndsOfTheTable) {
    EXPECT_EQ(category_of(0), Category::Cc);
    EXPECT_EQ(category_of(U'A'), Category::Lu);
    EXPECT_EQ(category_of(0x10FFFD), Category::Co);
    EXPECT_EQ(category_of(0x10FFFF), Category::Cn);
    EXPECT_EQ(category_of(0x110000), Category::Cn);
}

TEST(Unicode, CountsOfUnicode16) {
    int letters = 0;
    int numbers = 0;
    int spaces = 0;
    for (char32_t c = 0; c < 0x110000; ++c) {
        letters += is_letter(c) ? 1 : 0;
        numbers += is_number(c) ? 1 : 0;
        spaces += is_white_space(c) ? 1 : 0;
    }
    EXPECT_EQ(letters, 141028);
    EXPECT_EQ(numbers, 1911);
    EXPECT_EQ(spaces, 25);
}

TEST(Unicode, WhiteSpaceIsNotWhatPcreTakesItFor) {
    for (const char32_t c :
         {U'\t', U'\v', U'\f', U'\r', char32_t{0x85}, char32_t{0xA0}, char32_t{0x3000}}) {
        EXPECT_TRUE(is_white_space(c)) << static_cast<unsigned>(c);
    }
    for (const char32_t c : {0x180E, 0x200B, 0x2060, 0xFEFF, 0x1C}) {
        EXPECT_FALSE(is_white_space(c)) << static_cast<unsigned>(c);
    }
}

TEST(Unicode, NumbersThatOnlyUnicode17Knows) {
    EXPECT_FALSE(is_number(0x11DE3));
    EXPECT_TRUE(is_rust_numeric(0x11DE3));
    EXPECT_TRUE(is_rust_numeric(U'½'));
}

TEST(Unicode, WordCharacters) {
    for (const char32_t c : {U'a', U'_', U'9', U'Ⅷ', U'Ⓐ', char32_t{0x301}, char32_t{0x200D}}) {
        EXPECT_TRUE(is_word(c)) << static_cast<unsigned>(c);
    }
    for (const char32_t c : {U'-', U' ', U'½', U'。'}) {
        EXPECT_FALSE(is_word(c)) << static_cast<unsigned>(c);
    }
}

TEST(Utf8, CodePointsThereAndBack) {
    for (const char32_t c : {char32_t{0}, U'a', U'é', U'あ', U'👍', char32_t{0x10FFFF}}) {
        const std::string text = to_utf8(c);
        EXPECT_EQ(code_point_at(text, 0).value, c);
        EXPECT_EQ(code_point_before("x" + text, text.size() + 1).value, c);
        EXPECT_EQ(code_point_at(text, 0).size, text.size());
        EXPECT_EQ(find_invalid_utf8(text), text.size());
    }
}

TEST(Utf8, WhatIsInvalidIsFound) {
    EXPECT_EQ(find_invalid_utf8("ab\xC0\x80"), 2U);        // overlong
    EXPECT_EQ(find_invalid_utf8("a\xED\xA0\x80"), 1U);     // surrogate
    EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0U);  // beyond U+10FFFF
    EXPECT_EQ(find_invalid_utf8("aa\xE3\x81"), 2U);        // cut off
    EXPECT_EQ(find_invalid_utf8("\x80"), 0U);
}

TEST(Utf8, BrokenSequencesAreReplacedOnceEach) {
    EXPECT_EQ(replace_invalid_utf8("a\xE3\x81z"), "a\uFFFDz");
    EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x91"), "\uFFFD");
    EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(replace_invalid_utf8("\xE3\xE3\x81\x82"), "\uFFFDあ");
}

TEST(Utf8, IncompleteTail) {
    EXPECT_EQ(incomplete_utf8_tail("ab"), 0U);
    EXPECT_EQ(incomplete_utf8_tail("a\xE3\x81"), 2U);
    EXPECT_EQ(incomplete_utf8_tail("\xF0\x9F\x91"), 3U);
    EXPECT_EQ(incomplete_utf8_tail("あ"), 0U);
    EXPECT_EQ(incomplete_utf8_tail("\xED\xA0"), 0U);  // can't become a character
    EXPECT_EQ(incomplete_utf8_tail("\x81\x81\x81"), 0U);
}

TEST(ByteAlphabet, EveryByteThereAndBack) {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) {
        bytes += static_cast<char>(byte);
    }
    EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(bytes)), bytes);
    EXPECT_EQ(to_byte_alphabet(" \n!é"), "ĠĊ!Ã©");
    EXPECT_EQ(from_byte_alphabet("a b"), std::nullopt);
    EXPECT_EQ(from_byte_alphabet("あ"), std::nullopt);
}

}  // namespace
}  // namespace galapagos
