#include "tokenizer/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/error.hpp"
#include "support/temporary_folder.hpp"
#include "support/tiny_tokenizer.hpp"
#include "tokenizer/stream_decoder.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::tiny_tokenizer_json;
using testing::write_tokenizer;

constexpr std::int32_t first_merged = 3 + 256;

std::int32_t byte_id(char c) { return 3 + static_cast<unsigned char>(c); }

Tokenizer load(const nlohmann::json& json = tiny_tokenizer_json()) {
    const TemporaryFolder folder;
    return Tokenizer::load(write_tokenizer(folder.path(), json));
}

std::string refusal(const nlohmann::json& json) {
    try {
        load(json);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(Tokenizer, LoadsAFolderOrTheFileInIt) {
    const TemporaryFolder folder;
    write_tokenizer(folder.path());
    EXPECT_EQ(Tokenizer::load(folder.path()).vocabulary_size(), 266U);
    EXPECT_EQ(Tokenizer::load(folder / "tokenizer.json").vocabulary_size(), 266U);
    EXPECT_THROW(Tokenizer::load(folder / "missing.json"), Error);
}

TEST(Tokenizer, AppliesTheLowestRankFirst) {
    const Tokenizer tokenizer = load();
    // "th" comes before "he", so "the" is reached; " the" needs the merge of the space with the
    // whole word.
    EXPECT_THAT(tokenizer.encode("the", false), ElementsAre(first_merged + 2));
    EXPECT_THAT(tokenizer.encode("he the", false), ElementsAre(first_merged + 1, first_merged + 4));
    EXPECT_THAT(tokenizer.encode("in1ing", false),
                ElementsAre(first_merged + 5, byte_id('1'), first_merged + 6));
}

TEST(Tokenizer, LongWordsTakeTheirTimeInOrder) {
    const Tokenizer tokenizer = load();
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        text += "the";
    }
    const std::vector<std::int32_t> ids = tokenizer.encode(text, false);
    EXPECT_EQ(ids, std::vector<std::int32_t>(100'000, first_merged + 2));
}

TEST(Tokenizer, AddedTokensInTheTextAndAround) {
    nlohmann::json json = tiny_tokenizer_json();
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<|im_start|>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
          {{"SpecialToken", {{"id", "<|im_end|>"}, {"type_id", 0}}}}}},
        {"pair", nlohmann::json::array()},
        {"special_tokens",
         {{"<|im_start|>", {{"id", "<|im_start|>"}, {"ids", {1}}, {"tokens", {"<|im_start|>"}}}},
          {"<|im_end|>", {{"id", "<|im_end|>"}, {"ids", {2}}, {"tokens", {"<|im_end|>"}}}}}}};
    const Tokenizer tokenizer = load(json);
    EXPECT_THAT(tokenizer.encode("the<|endoftext|>", true), ElementsAre(1, first_merged + 2, 0, 2));
    EXPECT_THAT(tokenizer.encode("the", false), ElementsAre(first_merged + 2));
    EXPECT_THAT(tokenizer.encode("", true), ElementsAre(1, 2));
}

TEST(Tokenizer, DecodesWithAndWithoutSpecialTokens) {
    const Tokenizer tokenizer = load();
    const std::vector<std::int32_t> ids{1, first_merged + 4, 2, 99'999, -1};
    EXPECT_EQ(tokenizer.decode(ids, false), "<|im_start|> the<|im_end|>");
    EXPECT_EQ(tokenizer.decode(ids, true), " the");
    EXPECT_TRUE(tokenizer.is_special(2));
    EXPECT_FALSE(tokenizer.is_special(first_merged));
    EXPECT_FALSE(tokenizer.is_special(99'999));
}

TEST(Tokenizer, FindsIdsOfTokens) {
    const Tokenizer tokenizer = load();
    EXPECT_EQ(tokenizer.token_to_id("<|im_end|>"), 2);
    EXPECT_EQ(tokenizer.token_to_id("Ġthe"), first_merged + 4);
    EXPECT_EQ(tokenizer.token_to_id("nothing"), std::nullopt);
}

TEST(Tokenizer, RefusesTextThatIsNotUtf8) { EXPECT_THROW(load().encode("ab\xFF", false), Error); }

TEST(Tokenizer, WorksFromSeveralThreads) {
    const Tokenizer tokenizer = load();
    const std::vector<std::int32_t> expected = tokenizer.encode("the thing in the thin tin", false);
    std::vector<std::thread> threads;
    std::vector<int> equal(4, 0);
    for (std::size_t t = 0; t < equal.size(); ++t) {
        threads.emplace_back([&, t] {
            const Tokenizer copy = tokenizer;
            for (int i = 0; i < 200; ++i) {
                const std::string other = "thing" + std::to_string(i * (t + 1));
                copy.encode(other, false);
                equal[t] += copy.encode("the thing in the thin tin", false) == expected ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(equal, std::vector<int>(4, 200));
}

TEST(Tokenizer, RefusesComponentsByName) {
    const auto with = [](const std::string& pointer, const nlohmann::json& value) {
        nlohmann::json json = tiny_tokenizer_json();
        json[nlohmann::json::json_pointer(pointer)] = value;
        return refusal(json);
    };
    EXPECT_THAT(with("/normalizer", {{"type", "Lowercase"}}), HasSubstr("Lowercase"));
    EXPECT_THAT(with("/pre_tokenizer", {{"type", "Whitespace"}}), HasSubstr("Whitespace"));
    EXPECT_THAT(with("/decoder", {{"type", "WordPiece"}}), HasSubstr("WordPiece"));
    EXPECT_THAT(with("/post_processor", {{"type", "BertProcessing"}}), HasSubstr("BertProcessing"));
    EXPECT_THAT(with("/model/type", "WordPiece"), HasSubstr("WordPiece"));
    EXPECT_THAT(with("/model/dropout", 0.5), HasSubstr("model.dropout"));
    EXPECT_THAT(with("/model/new_option", 1), HasSubstr("new_option"));
    EXPECT_THAT(with("/model/vocab/the", 0), HasSubstr("two tokens have the id 0"));
    EXPECT_THAT(with("/model/vocab/the", 2'000'000'000), HasSubstr("model.vocab.the"));
    EXPECT_THAT(with("/added_tokens/1/id", 7), HasSubstr("added_tokens[1].id"));
    EXPECT_THAT(with("/pre_tokenizer", {{"type", "Split"},
                                        {"pattern", {{"Regex", "\\w+"}}},
                                        {"behavior", "Isolated"},
                                        {"invert", false}}),
                HasSubstr("\\w+"));
    EXPECT_EQ(refusal(tiny_tokenizer_json()), "");
}

TEST(Tokenizer, RefusesMergesOutsideTheVocabulary) {
    nlohmann::json json = tiny_tokenizer_json();
    json["model"]["merges"] = {"a zz"};
    EXPECT_THAT(refusal(json), HasSubstr("model.merges[0]"));
}

TEST(StreamDecoder, HoldsBackWhatIsNotWhole) {
    const Tokenizer tokenizer = load();
    StreamDecoder decoder(tokenizer, true);
    EXPECT_EQ(decoder.push(byte_id('\xE3')), "");
    EXPECT_EQ(decoder.push(byte_id('\x81')), "");
    EXPECT_EQ(decoder.push(byte_id('\x82')), "あ");
    EXPECT_EQ(decoder.push(byte_id('\xE3')), "");
    EXPECT_EQ(decoder.push(2), "");
    EXPECT_EQ(decoder.push(byte_id('x')), "\uFFFDx");
    EXPECT_EQ(decoder.push(byte_id('\xF0')), "");
    EXPECT_EQ(decoder.finish(), "\uFFFD");
    EXPECT_EQ(decoder.finish(), "");
}

}  // namespace
}  // namespace galapagos
