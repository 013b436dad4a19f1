#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tokenizer/added_tokens.hpp"
#include "tokenizer/digits_splitter.hpp"
#include "tokenizer/gpt2_splitter.hpp"
#include "tokenizer/llama3_splitter.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/split_component.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;

std::vector<std::string_view> split(const Splitter& splitter, std::string_view text) {
    std::vector<std::string_view> pieces;
    splitter.split(text, pieces);
    return pieces;
}

TEST(Gpt2Splitter, WordsNumbersAndSigns) {
    const Gpt2Splitter splitter;
    EXPECT_THAT(split(splitter, "Hello world42 ... ok!"),
                ElementsAre("Hello", " world", "42", " ...", " ok", "!"));
    EXPECT_THAT(split(splitter, "東京タワーx1½"), ElementsAre("東京タワーx", "1½"));
}

TEST(Gpt2Splitter, ContractionsAreLowerCaseAndComeFirst) {
    const Gpt2Splitter splitter;
    EXPECT_THAT(split(splitter, "we'll don't 'the I'M"),
                ElementsAre("we", "'ll", " don", "'t", " '", "the", " I", "'", "M"));
    EXPECT_THAT(split(splitter, "'store"), ElementsAre("'s", "tore"));
}

TEST(Gpt2Splitter, WhiteSpaceLeavesItsLastCharacterToTheWord) {
    const Gpt2Splitter splitter;
    EXPECT_THAT(split(splitter, "a   b"), ElementsAre("a", "  ", " b"));
    EXPECT_THAT(split(splitter, "a \n\tb"), ElementsAre("a", " \n", "\t", "b"));
    EXPECT_THAT(split(splitter, "a  "), ElementsAre("a", "  "));
    EXPECT_THAT(split(splitter, "\u3000a"), ElementsAre("\u3000", "a"));
    EXPECT_THAT(split(splitter, " \u180e"), ElementsAre(" \u180e"));
}

TEST(DigitsSplitter, OneByOneOrInRuns) {
    EXPECT_THAT(split(DigitsSplitter(true), "a12 3"), ElementsAre("a", "1", "2", " ", "3"));
    EXPECT_THAT(split(DigitsSplitter(false), "a12 3½"), ElementsAre("a", "12", " ", "3½"));
    EXPECT_THAT(split(DigitsSplitter(true), "12"), ElementsAre("1", "2"));
}

TEST(PreTokenizer, PrefixSpaceGoesBeforeEveryPieceOfTheStepBefore) {
    const PreTokenizer steps({{false, {}, std::make_shared<DigitsSplitter>(true)},
                              {true, {}, std::make_shared<Gpt2Splitter>()}});
    const Pieces pieces = steps.split("ab1 c", 0);
    EXPECT_THAT(pieces.views, ElementsAre(" ab", " 1", " c"));
}

AddedToken token(std::int32_t id, const std::string& content) {
    AddedToken result;
    result.id = id;
    result.content = content;
    result.normalized = false;
    return result;
}

std::vector<std::string> describe(const std::vector<TextPiece>& segments) {
    std::vector<std::string> texts;
    for (const TextPiece& segment : segments) {
        const std::string id = segment.id ? std::to_string(*segment.id) : "-";
        texts.push_back(id + ":" + std::string(segment.text));
    }
    return texts;
}

TEST(Llama3Splitter, CutsAsItsPatternDoes) {
    EXPECT_THAT(split(Llama3Splitter(3), "I'VE'\u017F 12345 (a)!\n\n  \n  b"),
                ElementsAre("I", "'VE", "'\u017F", " ", "123", "45", " (", "a", ")!\n\n", "  \n",
                            " ", " b"));
    EXPECT_THAT(split(Llama3Splitter(1), "12\u00A0c"), ElementsAre("1", "2", "\u00A0c"));
}

TEST(SplitBehavior, AsDocumented) {
    const auto pieces = [](SplitBehavior behavior) {
        return split(LiteralSplitter("-", behavior, false), "a-b--c");
    };
    EXPECT_THAT(pieces(SplitBehavior::removed), ElementsAre("a", "b", "c"));
    EXPECT_THAT(pieces(SplitBehavior::isolated), ElementsAre("a", "-", "b", "-", "-", "c"));
    EXPECT_THAT(pieces(SplitBehavior::merged_with_previous), ElementsAre("a-", "b-", "-", "c"));
    EXPECT_THAT(pieces(SplitBehavior::merged_with_next), ElementsAre("a", "-b", "-", "-c"));
    EXPECT_THAT(pieces(SplitBehavior::contiguous), ElementsAre("a", "-", "b", "--", "c"));
}

TEST(AddedTokens, TheLongestAtAPlaceWins) {
    const AddedTokens tokens({token(1, "<a>"), token(2, "<a><b>"), token(3, "b>")});
    EXPECT_THAT(describe(tokens.split_raw("x<a><b>y<a>b>")),
                ElementsAre("-:x", "2:<a><b>", "-:y", "1:<a>", "3:b>"));
}

TEST(AddedTokens, StripsWhiteSpaceOnTheSidesAsked) {
    AddedToken left = token(1, "[L]");
    left.lstrip = true;
    AddedToken right = token(2, "[R]");
    right.rstrip = true;
    const AddedTokens tokens({left, right});
    EXPECT_THAT(describe(tokens.split_raw("a \n[L] b [R]\u3000 c")),
                ElementsAre("-:a", "1: \n[L]", "-: b ", "2:[R]\u3000 ", "-:c"));
    EXPECT_THAT(describe(tokens.split_raw("[R]  [L]")), ElementsAre("2:[R]  ", "1:[L]"));
}

TEST(AddedTokens, SingleWordsStandAlone) {
    AddedToken word = token(1, "cat");
    word.single_word = true;
    const AddedTokens tokens({word});
    EXPECT_THAT(describe(tokens.split_raw("cat, cats _cat cat")),
                ElementsAre("1:cat", "-:, cats _cat ", "1:cat"));
}

TEST(AddedTokens, NormalizedOnesComeSecond) {
    AddedToken second = token(1, "a<b");
    second.normalized = true;
    const AddedTokens tokens({second, token(2, "<b>")});
    EXPECT_THAT(describe(tokens.split_raw("a<b> a<b")), ElementsAre("-:a", "2:<b>", "-: a<b"));
    EXPECT_THAT(describe(tokens.split_normalized(" a<b")), ElementsAre("-: ", "1:a<b"));
}

}  // namespace
}  // namespace galapagos
