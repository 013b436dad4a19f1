#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.hpp"
#include "support/tiny_models.hpp"
#include "weights/expect_error.hpp"
#include "weights/source.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CompatibilityTest : public ::testing::Test {
  protected:
    std::shared_ptr<const Source> make(const std::string& name,
                                       const test::TinyModelOptions& options = {}) {
        return Source::open({name, test::make_tiny_model(folder_ / name, options), {}},
                            {folder_ / "cache", {}});
    }
    std::string difference(const test::TinyModelOptions& options) {
        fs::remove_all(folder_ / "other");
        const auto first = make("first" + std::to_string(count_++));
        const auto other = make("other", options);
        const std::string message = test::error_of([&] {
            check_compatible({first, first, other});
        });
        EXPECT_THAT(message, HasSubstr("'other'"));
        return message;
    }

    galapagos::testing::TemporaryFolder folder_;
    int count_ = 0;
};

TEST_F(CompatibilityTest, AcceptsFineTunesOfOneBase) {
    test::TinyModelOptions other;
    other.seed = 2;
    other.dtype = DType::bf16;
    other.max_shard_bytes = 10'000;
    EXPECT_NO_THROW(check_compatible({make("a"), make("b", other)}));
    EXPECT_NO_THROW(check_compatible({make("c")}));
    const auto tied = make("d", {.tied = true});
    EXPECT_NO_THROW(check_compatible({make("e"), tied})) << "the embedding serves as the head";
    EXPECT_NO_THROW(check_compatible({tied, make("f")}));
    EXPECT_NO_THROW(check_compatible({}));
}

TEST_F(CompatibilityTest, NamesTheFirstDifference) {
    EXPECT_THAT(difference({.layers = 3}), HasSubstr("num_hidden_layers is 2 and 3"));
    EXPECT_THAT(difference({.hidden = 64}), HasSubstr("hidden_size is 32 and 64"));
    EXPECT_THAT(difference({.vocab = 65}),
                AllOf(HasSubstr("vocab_size is 64 and 65"), HasSubstr("tokenizer_source")));
    EXPECT_THAT(difference({.kv_heads = 1}), HasSubstr("num_key_value_heads is 2 and 1"));
    EXPECT_THAT(difference({.extra_config = {{"model_type", "mistral"}}}),
                HasSubstr("model_type is \"llama\" and"));
    // A config.json that lies is found out by the tensors.
    EXPECT_THAT(
        difference({.intermediate = 40, .extra_config = {{"intermediate_size", 48}}}),
        HasSubstr("tensor 'model.layers.0.mlp.down_proj.weight' has shape [32, 48] and [32, 40]"));
    EXPECT_THAT(
        difference({.layers = 3, .extra_config = {{"num_hidden_layers", 2}}}),
        HasSubstr("tensor 'model.layers.2.input_layernorm.weight' is in 'other' but not in"));
    EXPECT_THAT(difference({.layers = 1, .extra_config = {{"num_hidden_layers", 2}}}),
                HasSubstr("but not in 'other'"));
}

TEST_F(CompatibilityTest, ComparesWhatTokenNumbersMean) {
    test::TinyModelOptions options;
    options.tokenizer = true;
    options.vocab = 270;
    const auto a = make("a", options);
    const auto b = make("b", options);
    const auto edit = [&](auto&& change) {
        json tokenizer = json::parse(read_text(folder_ / "b/tokenizer.json"));
        change(tokenizer);
        std::ofstream(folder_ / "b/tokenizer.json") << tokenizer.dump();
    };
    EXPECT_NO_THROW(check_compatible({a, b}));
    edit([](json& tokenizer) {
        tokenizer["added_tokens"].push_back({{"id", 265}, {"content", "<pad>"}});
    });
    EXPECT_THAT(test::error_of([&] { check_compatible({a, b}); }), HasSubstr("token 265 is"));
    edit([](json& tokenizer) { tokenizer["added_tokens"].back()["id"] = 300; });
    EXPECT_NO_THROW(check_compatible({a, b})) << "a token that only one model knows";
    edit([](json& tokenizer) {
        tokenizer["model"]["vocab"]["b"] = 100;
        tokenizer["model"]["vocab"]["a"] = 101;
    });
    EXPECT_THAT(test::error_of([&] {
                    check_compatible({a, b});
                }),
                HasSubstr("token 100 is 'a' and 'b'"));
}

}  // namespace
}  // namespace galapagos
