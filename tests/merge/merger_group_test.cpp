// Ranks that share out the statistics: the bits of a rank that works alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "comm/tensor_group.hpp"
#include "merge/candidate_jobs.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos {
namespace {

using namespace test;

std::vector<TensorSpec> local_specs(const TinyModelOptions& options, const Sharding& sharding) {
    std::vector<TensorSpec> specs;
    for (const TensorSpec& spec : tiny_tensors(options))
        specs.push_back({spec.name, spec.dtype, sharding.local_shape(spec.name, spec.shape)});
    return specs;
}

TEST(MergerGroup, BitsDoNotDependOnWhoComputesTheStatistics) {
    TinyModelOptions options;
    options.heads = 4;
    options.kv_heads = 2;
    options.dtype = DType::bf16;
    TemporaryFolder folder;  // each rank makes its own copy: the same bytes
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, options);
    TensorGroup group{Communicator::world()};
    const Sharding sharding(sources[0]->config(), group.size(), group.rank());
    const auto specs = local_specs(options, sharding);
    Arena shared(specs), alone(specs);
    Merger together(sources, sharding, 3, &group), single(sources, sharding, 3);
    for (int round = 0; round < 2; ++round) {
        for (const std::string& yaml : recipes_of_all_methods()) {
            const MergePlan plan = plan_of(yaml, sources);
            together.merge(plan, shared);
            single.merge(plan, alone);
            EXPECT_TRUE(
                std::equal(shared.span().begin(), shared.span().end(), alone.span().begin()))
                << yaml;
        }
    }
    if (group.size() > 1) {
        EXPECT_LT(together.statistics_bytes(), single.statistics_bytes());
    }
}

/// Of a rank whose part of the statistics can't be had.
class BrokenPasses final : public StatisticPasses {
  public:
    std::uint32_t largest_magnitude(const DeltaPair&) override { fail(); }
    std::vector<KeyBucket> count_keys(const DeltaPair&, const FixedPoint&,
                                      const KeyRange&) override {
        fail();
    }
    void cut_steps(std::span<CutRequest* const>) override { fail(); }
    std::vector<std::int64_t> sums_by_level(const DeltaPair&, const FixedPoint&,
                                            const MaskStream&) override {
        fail();
    }
    Ranks magnitude_ranks(const DeltaPair&, std::int64_t) override { fail(); }
    void thin(std::span<RankThinning>) override { fail(); }
    PairProducts pair_products(const StoredTensor&, const StoredTensor&, std::int64_t) override {
        fail();
    }
    std::vector<double> products(const TensorJob&, bool) override { fail(); }
    std::vector<double> line_products(const TensorJob&, bool, bool) override { fail(); }
    std::vector<float> row_divergences(const TensorJob&) override { fail(); }
    std::vector<std::uint32_t> importances_at(const TensorJob&, const std::vector<float>&,
                                              const std::vector<std::int64_t>&) override {
        fail();
    }
    std::int64_t count_varied(const TensorJob&) override { fail(); }
    KeyCut cut_variance(const TensorJob&, std::int64_t) override { fail(); }
    std::vector<double> mean_squares(const TensorJob&) override { fail(); }
    InputChanges count_changes(const TensorJob&) override { fail(); }

  private:
    [[noreturn]] static void fail() { throw Error("a statistic can't be had"); }
};

/// The other ranks, which have theirs, don't wait for it.
TEST(MergerGroup, StatisticsThatFailOnOneRankFailTheMergeOnAll) {
    TinyModelOptions options;
    options.heads = 4;
    options.kv_heads = 2;
    TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, options);
    TensorGroup group{Communicator::world()};
    const Sharding sharding(sources[0]->config(), group.size(), group.rank());
    Arena layout(local_specs(options, sharding), ArenaUse::layout);
    BrokenPasses broken;
    CandidateJobs jobs(sources, sharding, 3, &group,
                       group.rank() == group.size() - 1 ? broken : cpu_passes());
    int failures = 0;
    for (const std::string& yaml : recipes_of_all_methods()) {
        bool failed = false;
        try {
            jobs.build(plan_of(yaml, sources), layout);
        } catch (const Error&) {
            failed = true;
        }
        failures += failed;
        for (const bool other : group.all_gather_values(failed)) EXPECT_EQ(other, failed) << yaml;
    }
    EXPECT_GT(failures, 20);
}

}  // namespace
}  // namespace galapagos
