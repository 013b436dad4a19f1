#include "merge/merger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"
#include "merge/random_mask.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;
using namespace test;

class MergerTest : public ::testing::Test {
  protected:
    ~MergerTest() override { set_thread_count(2); }

    MergePlan plan(const std::string& yaml) const { return plan_of(yaml, sources_); }

    Arena arena_for(const Sharding& sharding, DType dtype) const {
        std::vector<TensorSpec> specs;
        for (const TensorSpec& spec : tiny_tensors(options_))
            specs.push_back({spec.name, dtype, sharding.local_shape(spec.name, spec.shape)});
        return Arena(specs);
    }

    TemporaryFolder folder_;
    TinyModelOptions options_ = uneven_options();
    Sources sources_ = tiny_sources(folder_, {"base", "a", "b"}, options_);
};

std::vector<std::byte> bytes_of(const Arena& arena) {
    return {arena.span().begin(), arena.span().end()};
}

TEST_F(MergerTest, BitsDoNotDependOnTheTensorParallelWidth) {
    for (const std::string& yaml : recipes_of_all_methods()) {
        const MergePlan recipe = plan(yaml);
        Arena whole = arena_for(Sharding(), DType::bf16);
        Merger(sources_, Sharding(), 5).merge(recipe, whole);
        for (const int width : {2, 4, 6}) {
            for (int rank = 0; rank < width; ++rank) {
                const Sharding sharding(sources_[0]->config(), width, rank);
                Arena part = arena_for(sharding, DType::bf16);
                Merger(sources_, sharding, 5).merge(recipe, part);
                for (const TensorSpec& spec : tiny_tensors(options_)) {
                    const TensorView actual = part.view(spec.name);
                    std::vector<std::byte> expected(actual.bytes());
                    copy_slice(whole.view(spec.name), sharding.slice(spec.name, spec.shape),
                               {expected.data(), actual.dtype, actual.shape});
                    EXPECT_EQ(std::memcmp(expected.data(), actual.data, expected.size()), 0)
                        << spec.name << " at " << rank << "/" << width << "\n"
                        << yaml;
                }
            }
        }
    }
}

TEST_F(MergerTest, BitsDoNotDependOnThreadsOrEarlierCandidates) {
    Merger used(sources_, Sharding(), 5);
    Arena arena = arena_for(Sharding(), DType::bf16);
    for (const std::string& yaml : recipes_of_all_methods()) used.merge(plan(yaml), arena);
    for (const std::string& yaml : recipes_of_all_methods()) {
        set_thread_count(3);
        used.merge(plan(yaml), arena);
        const std::vector<std::byte> with_threads = bytes_of(arena);
        set_thread_count(1);
        Merger fresh(sources_, Sharding(), 5);
        fresh.merge(plan(yaml), arena);
        EXPECT_EQ(with_threads, bytes_of(arena)) << yaml;
    }
    EXPECT_GT(used.statistics_bytes(), 0u);
}

TEST_F(MergerTest, StreamedTensorsHaveTheSameBits) {
    for (const std::string& yaml : recipes_of_all_methods()) {
        const MergePlan recipe = plan(yaml);
        Arena arena = arena_for(Sharding(), DType::bf16);
        Merger merger(sources_, Sharding(), 5);
        merger.merge(recipe, arena);
        for (const TensorMerge& tensor : recipe.tensors) {
            const TensorView expected = arena.view(tensor.output_name);
            std::vector<std::byte> bytes(expected.bytes());
            merger.merge_tensor(tensor, recipe.random_seed,
                                {bytes.data(), DType::bf16, tensor.shape});
            EXPECT_EQ(std::memcmp(bytes.data(), expected.data, bytes.size()), 0)
                << tensor.output_name << "\n"
                << yaml;
        }
    }
}

/// DARE written the long way, in double precision.
std::vector<double> dare_reference(const Sources& sources, const TensorMerge& tensor,
                                   std::uint64_t seed) {
    const std::vector<float> base = floats_of(sources[0]->tensor(tensor.base->tensor));
    std::vector<double> sum(base.size()), plus(base.size()), minus(base.size());
    for (std::size_t position = 0; position < tensor.inputs.size(); ++position) {
        const MergeInput& input = tensor.inputs[position];
        const std::vector<float> source =
            floats_of(sources[static_cast<std::size_t>(input.source)]->tensor(input.tensor));
        std::vector<RandomWord> words((base.size() + 127) / 128 * 128);
        mask_words({seed, fnv1a(tensor.output_name), static_cast<std::uint32_t>(position)}, 0,
                   static_cast<std::int64_t>(words.size()), words.data());
        const std::uint32_t level = probability_level(input.density);
        double total = 0, kept = 0;
        for (std::size_t i = 0; i < base.size(); ++i) {
            const double size = std::abs(static_cast<double>(source[i]) - base[i]);
            total += size;
            if (words[i] < keep_limit(level)) kept += size;
        }
        double factor = 1;
        if (tensor.rescale == Rescale::l1 && kept >= 1e-7) factor = total / kept;
        if (tensor.rescale == Rescale::inverse_p)
            factor = static_cast<double>(probability_levels) / level;
        for (std::size_t i = 0; i < base.size(); ++i) {
            if (words[i] >= keep_limit(level)) continue;
            const double value = input.weight * factor * (static_cast<double>(source[i]) - base[i]);
            sum[i] += value;
            (value > 0 ? plus : minus)[i] += value;
        }
    }
    for (std::size_t i = 0; i < base.size(); ++i) {
        const double elected = sum[i] >= 0 ? plus[i] : minus[i];
        const double delta = elects_sign(tensor.method) ? elected : sum[i];
        sum[i] = base[i] + tensor.lambda * delta;
    }
    return sum;
}

TEST_F(MergerTest, DareAgreesWithItsDefinition) {
    for (const char* method : {"dare_linear", "dare_ties"}) {
        for (const char* rescale : {"true", "false", "inverse_p"}) {
            // Weights of which no small multiples are equal: no sum is zero but for its rounding.
            const MergePlan recipe =
                plan("merge_method: " + std::string(method) +
                     "\nbase_model: base\nmodels:\n"
                     "  - {model: a, parameters: {weight: 0.7, density: 0.4}}\n"
                     "  - {model: b, parameters: {weight: -0.2137, density: 0.83}}\n"
                     "parameters: {lambda: 1.2, rescale: " +
                     rescale + "}\n");
            Merger merger(sources_, Sharding(), 77);
            for (const TensorMerge& tensor : recipe.tensors) {
                const std::vector<double> expected = dare_reference(sources_, tensor, 77);
                const std::vector<float> result = merged_floats(merger, tensor);
                for (std::size_t i = 0; i < expected.size(); ++i)
                    ASSERT_NEAR(result[i], expected[i], 2e-6 * std::max(1.0, std::abs(expected[i])))
                        << tensor.output_name << " " << method << " " << rescale;
            }
        }
    }
}

TEST_F(MergerTest, SeedsChooseTheMask) {
    const std::string yaml =
        "merge_method: dare_linear\nbase_model: base\n"
        "models: [{model: a, parameters: {weight: 1, density: 0.5}}]\n";
    const MergePlan unseeded = plan(yaml);
    const MergePlan seeded = plan(yaml + "random_seed: 9\n");
    const TensorMerge& tensor = unseeded.tensors[0];
    Merger nine(sources_, Sharding(), 9), five(sources_, Sharding(), 5);
    const auto with_nine = merged_floats(nine, tensor);
    EXPECT_NE(with_nine, merged_floats(five, tensor));
    EXPECT_EQ(with_nine, merged_floats(five, tensor, seeded.random_seed));
}

TEST_F(MergerTest, RoundsOnceToTheArenaType) {
    const MergePlan recipe = plan(recipes_of_all_methods()[3]);
    for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
        Arena exact = arena_for(Sharding(), DType::f32), rounded = arena_for(Sharding(), dtype);
        Merger merger(sources_, Sharding(), 5);
        merger.merge(recipe, exact);
        merger.merge(recipe, rounded);
        for (const TensorSpec& spec : exact.specs()) {
            const std::vector<float> values = floats_of(exact.view(spec.name));
            std::vector<std::byte> expected(rounded.view(spec.name).bytes());
            from_float(values.data(), values.size(), expected.data(), dtype);
            EXPECT_EQ(std::memcmp(expected.data(), rounded.view(spec.name).data, expected.size()),
                      0);
        }
    }
}

TEST_F(MergerTest, WeightZeroAndOneGiveTheModels) {
    const auto merged = [&](const std::string& yaml) {
        Arena arena = arena_for(Sharding(), DType::bf16);
        Merger(sources_, Sharding(), 5).merge(plan(yaml), arena);
        return bytes_of(arena);
    };
    Arena expected = arena_for(Sharding(), DType::bf16);
    for (const TensorSpec& spec : expected.specs())
        std::memcpy(expected.tensor(spec.name).data, sources_[0]->tensor(spec.name).data,
                    sources_[0]->tensor(spec.name).bytes());
    for (const char* method : {"task_arithmetic", "ties", "dare_linear", "dare_ties"}) {
        const std::string head = "merge_method: " + std::string(method) + "\nbase_model: base\n";
        EXPECT_EQ(merged(head + "models: [{model: a}]\nparameters: {weight: 0}\n"),
                  bytes_of(expected))
            << method;
        if (is_sparse(*parse_method(method))) {
            EXPECT_EQ(merged(head + "models: [{model: a}]\nparameters: {weight: 1, density: 0}\n"),
                      bytes_of(expected))
                << method;
        }
        EXPECT_EQ(merged(head + "models: [{model: base}]\nparameters: {weight: 1}\n"),
                  bytes_of(expected))
            << method;
    }
    EXPECT_EQ(
        merged("merge_method: slerp\nbase_model: base\nmodels: [{model: a}]\nparameters: {t: 0}\n"),
        bytes_of(expected));
    EXPECT_EQ(merged("merge_method: linear\nmodels: [{model: base}]\nparameters: {weight: 3}\n"),
              bytes_of(expected));
}

TEST_F(MergerTest, NansComeThrough) {
    TemporaryFolder folder;
    const TensorSpec spec{"model.norm.weight", DType::f32, {4}};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    write_model(folder / "base", {{spec, {1, 1, 1, 1}}});
    write_model(folder / "a", {{spec, {2, nan, 0.5, 1}}});
    write_model(folder / "b", {{spec, {3, 1, 2, std::numeric_limits<float>::infinity()}}});
    const Sources sources = open_named(folder, {"base", "a", "b"});
    for (const std::string& yaml : recipes_of_all_methods()) {
        const MergePlan recipe = plan_of(yaml, sources);
        Merger merger(sources, Sharding(), 1);
        const std::vector<float> result = merged_floats(merger, recipe.tensors[0]);
        // A random mask may drop the element.
        if (yaml.find("dare") == std::string::npos && yaml.find("della") == std::string::npos) {
            EXPECT_TRUE(std::isnan(result[1])) << yaml;
        }
    }
}

TEST_F(MergerTest, RefusesAnArenaThatDoesNotFit) {
    const auto error_of = [&](Arena arena, const MergePlan& recipe) -> std::string {
        try {
            Merger(sources_, Sharding(), 5).merge(recipe, arena);
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    const MergePlan recipe = plan(recipes_of_all_methods()[0]);
    EXPECT_THAT(error_of(Arena({{"model.norm.wieght", DType::f32, {48}}}), recipe),
                HasSubstr("model.norm.wieght"));
    EXPECT_THAT(error_of(Arena({{"model.norm.weight", DType::f32, {47}}}), recipe),
                HasSubstr("[47]"));
}

}  // namespace
}  // namespace galapagos
