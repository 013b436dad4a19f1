// Adapters against what PEFT computes (peft_cases/, made by make_cases.py), and against hand-made
// ones.
#include "weights/adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "base/files.hpp"
#include "base/parallel.hpp"
#include "support/tiny_models.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::error_of;
using ::testing::HasSubstr;

std::vector<float> floats(const TensorView& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.numel()));
    to_float(tensor.data, tensor.dtype, values.data(), values.size());
    return values;
}

fs::path cases_folder() {
    return fs::path(std::getenv("GALAPAGOS_SOURCE_DIR")) / "tests/weights/peft_cases";
}

class PeftCase : public ::testing::TestWithParam<const char*> {};

TEST_P(PeftCase, AgreesWithMergeAndUnload) {
    const fs::path folder = cases_folder() / GetParam();
    std::string base_name = read_text(folder / "base.txt");
    base_name.pop_back();
    const ModelFolder base(cases_folder() / base_name);
    const Adapter adapter(folder, base);
    const SafetensorsFile expected(folder / "expected.safetensors");

    std::vector<std::string> names;
    for (const auto& entry : expected.entries()) names.push_back(entry.name);
    EXPECT_THAT(adapter.changed_tensors(), ::testing::UnorderedElementsAreArray(names));

    for (const auto& name : names) {
        const TensorView reference = expected.tensor(name);
        const auto bytes = adapter.adapted(name);
        ASSERT_EQ(bytes.size(), reference.bytes()) << name;
        const auto ours = floats({bytes.data(), reference.dtype, reference.shape});
        const auto theirs = floats(reference);
        for (std::size_t i = 0; i < ours.size(); ++i) {
            if (reference.dtype == DType::f32) {
                ASSERT_NEAR(ours[i], theirs[i], 1e-6 * (std::abs(theirs[i]) + 0.1))
                    << name << " " << i;
            } else {
                ASSERT_EQ(ours[i], theirs[i]) << name << " " << i;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, PeftCase,
                         ::testing::Values("plain", "rslora", "regex", "all_linear", "layers",
                                           "patterns", "head", "bf16_base", "bf16_both", "f16_base",
                                           "conv1d"),
                         [](const auto& info) { return std::string(info.param); });

class AdapterTest : public ::testing::Test {
  protected:
    AdapterTest() : base_(test::make_tiny_model(folder_ / "base", model_)) {}

    fs::path make(const test::TinyAdapterOptions& options = {}) {
        fs::remove_all(folder_ / "adapter");
        return test::make_tiny_adapter(folder_ / "adapter", model_, options);
    }
    /// The complaint about an adapter whose configuration says something else than its weights.
    std::string refusal(const json& config_changes, const test::TinyAdapterOptions& options = {}) {
        test::TinyAdapterOptions changed = options;
        changed.extra_config = config_changes;
        const fs::path path = make(changed);
        return error_of([&] { Adapter(path, base_); });
    }

    galapagos::testing::TemporaryFolder folder_;
    test::TinyModelOptions model_{.dtype = DType::bf16};
    ModelFolder base_;
};

/// A rank of one has no sum to reorder, so the definition gives the bits.
TEST_F(AdapterTest, RoundsOnceToTheTypeOfTheBase) {
    test::TinyAdapterOptions options;
    options.rank = 1;
    options.alpha = 3;
    const fs::path path = make(options);
    const Adapter adapter(path, base_);
    const SafetensorsFile weights(path / "adapter_model.safetensors");
    const std::string module = "model.layers.1.self_attn.q_proj";
    const auto a = floats(weights.tensor("base_model.model." + module + ".lora_A.weight"));
    const auto b = floats(weights.tensor("base_model.model." + module + ".lora_B.weight"));
    const TensorView weight = base_.tensor(module + ".weight");
    const auto old_values = floats(weight);
    std::vector<float> expected;
    for (std::size_t i = 0; i < b.size(); ++i) {
        for (std::size_t j = 0; j < a.size(); ++j) {
            const volatile float product = b[i] * a[j];
            const volatile float delta = product * 3.0f;
            expected.push_back(old_values[i * a.size() + j] + delta);
        }
    }
    std::vector<std::byte> bytes(weight.bytes());
    from_float(expected.data(), expected.size(), bytes.data(), DType::bf16);
    EXPECT_EQ(adapter.adapted(module + ".weight"), bytes);
}

TEST_F(AdapterTest, BitsDoNotDependOnThreads) {
    const Adapter adapter(make(), base_);
    const int threads = thread_count();
    set_thread_count(1);
    const auto one = adapter.adapted("model.layers.0.self_attn.q_proj.weight");
    set_thread_count(3);
    EXPECT_EQ(adapter.adapted("model.layers.0.self_attn.q_proj.weight"), one);
    set_thread_count(threads);
}

TEST_F(AdapterTest, RefusesWeightsThatContradictTheConfiguration) {
    EXPECT_THAT(refusal({{"target_modules", {"q_proj"}}}),
                HasSubstr("v_proj', which the configuration does not select"));
    EXPECT_THAT(refusal({{"target_modules", {"q_proj", "v_proj", "up_proj"}}}),
                HasSubstr("selects 'model.layers.0.mlp.up_proj', but its weights are missing"));
    EXPECT_THAT(refusal({{"r", 5}}), HasSubstr("do not have rank 5"));
    EXPECT_THAT(refusal({{"target_modules", {"q_proj", "v_proj", "embed_tokens"}}}),
                HasSubstr("embeddings are not supported"));
}

TEST_F(AdapterTest, RefusesAnotherBase) {
    test::TinyModelOptions larger = model_;
    larger.hidden = 64;
    const ModelFolder other(test::make_tiny_model(folder_ / "larger", larger));
    const fs::path path = make();
    EXPECT_THAT(error_of([&] { Adapter(path, other); }), HasSubstr("do not fit the weight"));
    test::TinyModelOptions shorter = model_;
    shorter.layers = 1;
    const ModelFolder third(test::make_tiny_model(folder_ / "shorter", shorter));
    EXPECT_THAT(error_of([&] { Adapter(path, third); }), HasSubstr("the base has no such weight"));
}

TEST_F(AdapterTest, RefusesForeignTensors) {
    const fs::path path = make();
    const std::vector<std::pair<const char*, const char*>> cases = {
        {"base_model.model.model.embed_tokens.lora_embedding_A", "neither a lora_A nor a lora_B"},
        {"base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", "neither"},
        {"lora_unet_down.weight", "does not begin as PEFT's do"},
        {"base_model.model.lm_head.lora_A.weight", "module 'lm_head' has no lora_B"},
    };
    for (const auto& [name, message] : cases) {
        std::string header = write_safetensors_header({{name, DType::f32, {1, 1}, 0, 4}}, {});
        std::string bytes(8, '\0');
        bytes[0] = static_cast<char>(header.size());
        std::ofstream(path / "adapter_model.safetensors") << bytes << header << "abcd";
        EXPECT_THAT(error_of([&] { Adapter(path, base_); }), HasSubstr(message)) << name;
    }
}

TEST_F(AdapterTest, RefusesAnAdapterOfATiedHead) {
    test::TinyModelOptions tied = model_;
    tied.tied = true;
    const ModelFolder base(test::make_tiny_model(folder_ / "tied", tied));
    test::TinyAdapterOptions options;
    options.target_modules = {"q_proj", "lm_head"};
    // The adapter was trained on an untied twin, which has a head of its own.
    std::ofstream config;
    const fs::path path = make(options);
    const fs::path weights = path / "adapter_model.safetensors";
    const std::string header = write_safetensors_header(
        {{"base_model.model.lm_head.lora_A.weight", DType::f32, {4, 1}, 0, 16},
         {"base_model.model.lm_head.lora_B.weight", DType::f32, {1, 4}, 16, 32}},
        {});
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    std::ofstream(weights) << bytes << header << std::string(32, '\0');
    std::ofstream(path / "adapter_config.json")
        << R"({"peft_type":"LORA","r":4,"target_modules":["lm_head"]})";
    EXPECT_THAT(error_of([&] { Adapter(path, base); }), HasSubstr("its head is tied"));
}

TEST_F(AdapterTest, RefusesPickles) {
    const fs::path path = make();
    fs::rename(path / "adapter_model.safetensors", path / "adapter_model.bin");
    EXPECT_THAT(error_of([&] { Adapter(path, base_); }), HasSubstr("pickles are not read"));
}

}  // namespace
}  // namespace galapagos
