// Against mergekit's float32 results; golden/make_golden.py says how they were made.
#include <gtest/gtest.h>

#include <cmath>

#include "base/files.hpp"
#include "base/json.hpp"
#include "merge/delta.hpp"
#include "merge/merge_fixtures.hpp"

namespace galapagos {
namespace {

using namespace test;

const nlohmann::json& golden() {
    static const nlohmann::json document = [] {
        const std::string path =
            std::string(std::getenv("GALAPAGOS_SOURCE_DIR")) + "/tests/merge/golden/mergekit.json";
        return parse_json_strict(read_text(path), path);
    }();
    return document;
}

const TensorSpec& golden_tensor() {
    static const TensorSpec spec{
        "model.layers.0.mlp.up_proj.weight", DType::f32, {golden()["rows"], golden()["columns"]}};
    return spec;
}

class Golden : public ::testing::TestWithParam<std::string> {
  protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<TemporaryFolder>();
        std::vector<std::string> names;
        for (const auto& [name, values] : golden()["models"].items()) {
            write_model(*folder_ / name, {{golden_tensor(), values.get<std::vector<float>>()}});
            names.push_back(name);
        }
        sources_ = open_named(*folder_, names);
    }
    static void TearDownTestSuite() {
        sources_.clear();
        folder_.reset();
    }

    static inline std::unique_ptr<TemporaryFolder> folder_;
    static inline Sources sources_;
};

const nlohmann::json& case_named(const std::string& name) {
    for (const auto& entry : golden()["cases"])
        if (entry["name"] == name) return entry;
    throw std::runtime_error("no golden case " + name);
}

TEST_P(Golden, AgreesTo1e6Relative) {
    const nlohmann::json& entry = case_named(GetParam());
    const MergePlan plan = plan_of(entry["recipe"], sources_);
    ASSERT_EQ(plan.tensors.size(), 1u);
    Merger merger(sources_, Sharding(), 0);
    const std::vector<float> result = merged_floats(merger, plan.tensors[0]);
    const auto expected = entry["out"].get<std::vector<float>>();
    float largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(value));
    ASSERT_EQ(result.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(result[i], expected[i], 1e-6 * std::max(std::abs(expected[i]), largest / 4))
            << "element " << i;
}

std::vector<std::string> case_names() {
    std::vector<std::string> names;
    for (const auto& entry : golden()["cases"]) names.push_back(entry["name"]);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Mergekit, Golden, ::testing::ValuesIn(case_names()),
                         [](const auto& info) { return info.param; });

TEST(GoldenRescale, InjectedMaskGetsTheNormBack) {
    const auto base = golden()["models"]["base"].get<std::vector<float>>();
    const auto a = golden()["models"]["A"].get<std::vector<float>>();
    const auto expected =
        golden()["rescaled_delta_of_A_with_mask_7i_mod_10_below_6"].get<std::vector<float>>();
    const DeltaPair pair{{reinterpret_cast<const std::byte*>(base.data()), DType::f32},
                         {reinterpret_cast<const std::byte*>(a.data()), DType::f32},
                         static_cast<std::int64_t>(a.size())};
    const FixedPoint fixed = fixed_point_of(pair);
    std::int64_t total = 0, kept = 0;
    const auto is_kept = [](std::size_t i) { return 7 * i % 10 < 6; };
    for_each_key_block(pair, 0, pair.count,
                       [&](const std::uint32_t* keys, std::int64_t, std::int64_t count) {
                           for (std::int64_t i = 0; i < count; ++i) {
                               total += fixed.quantise(keys[i]);
                               if (is_kept(static_cast<std::size_t>(i)))
                                   kept += fixed.quantise(keys[i]);
                           }
                       });
    const auto factor = static_cast<float>(l1_rescale(fixed, total, kept));
    for (std::size_t i = 0; i < a.size(); ++i)
        EXPECT_NEAR(is_kept(i) ? factor * (a[i] - base[i]) : 0, expected[i],
                    1e-6 * std::abs(expected[i]));
}

}  // namespace
}  // namespace galapagos
