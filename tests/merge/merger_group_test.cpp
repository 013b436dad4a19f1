// Ranks that share out the statistics: the bits of a rank that works alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "comm/tensor_group.hpp"
#include "merge/candidate_jobs.hpp"
#include "merge/failing_passes.hpp"
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
    const bool is_last = group.rank() == group.size() - 1;
    FailingPasses passes([&] { return is_last; });
    CandidateJobs jobs(sources, sharding, 3, &group, passes);
    int failures = 0;
    for (const std::string& yaml : recipes_of_all_methods()) {
        int failed = 0;
        try {
            jobs.build(plan_of(yaml, sources), layout);
        } catch (const Error&) {
            failed = 1;
        }
        failures += failed;
        for (const int other : group.all_gather_values(failed)) EXPECT_EQ(other, failed) << yaml;
    }
    EXPECT_GT(failures, 20);
}

/// All elements of all jobs, as they would be merged.
std::vector<float> merged(const CandidateJobs& jobs) {
    std::vector<float> values;
    BlockBuffers buffers;
    alignas(64) float block[block_elements];
    for (const TensorJob& job : jobs.jobs())
        for (std::int64_t at = 0; at < job.count; at += block_elements) {
            const std::int64_t count = std::min(block_elements, job.count - at);
            merge_block(job, at, count, buffers, block);
            values.insert(values.end(), block, block + count);
        }
    return values;
}

/// One of them may know more than the others when it fails: what was counted is counted anew.
TEST(MergerGroup, RanksThatCountTogetherStartAgainTogether) {
    TinyModelOptions options;
    options.heads = 4;
    options.kv_heads = 2;
    options.layers = 1;
    TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, options);
    TensorGroup group{Communicator::world()};
    const Sharding sharding(sources[0]->config(), group.size(), group.rank());
    Arena layout(local_specs(options, sharding), ArenaUse::layout);
    for (const std::size_t recipe : {4, 6, 10, 21, 24}) {
        const MergePlan plan = plan_of(recipes_of_all_methods()[recipe], sources);
        CandidateJobs alone(sources, sharding, 3, nullptr);
        alone.build(plan, layout);
        const std::vector<float> expected = merged(alone);
        for (const int failing : {1, 2, 3, 5, 8}) {
            SCOPED_TRACE(recipes_of_all_methods()[recipe] + std::to_string(failing));
            int calls = 0;
            PassesTogether passes(
                group, [&] { return ++calls == failing && group.rank() == group.size() - 1; });
            CandidateJobs jobs(sources, sharding, 3, &group, passes);
            EXPECT_THROW(jobs.build(plan, layout), Error);
            jobs.build(plan, layout);
            EXPECT_EQ(merged(jobs), expected);
        }
    }
}

/// Whichever pass of a candidate fails, the same candidate gets its own statistics later on.
TEST(MergerGroup, NothingIsLeftOfAStatisticThatFailed) {
    TinyModelOptions options;
    options.layers = 1;
    options.dtype = DType::bf16;
    TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, options);
    const Sharding whole(sources[0]->config(), 1, 0);
    Arena layout(local_specs(options, whole), ArenaUse::layout);
    for (const std::string& yaml : recipes_of_all_methods()) {
        SCOPED_TRACE(yaml);
        const MergePlan plan = plan_of(yaml, sources);
        CandidateJobs undisturbed(sources, whole, 3, nullptr);
        undisturbed.build(plan, layout);
        const std::vector<float> expected = merged(undisturbed);
        for (int failing = 1;; ++failing) {
            int calls = 0;
            FailingPasses passes([&] { return ++calls == failing; });
            CandidateJobs jobs(sources, whole, 3, nullptr, passes);
            bool failed = false;
            try {
                jobs.build(plan, layout);
            } catch (const Error&) {
                failed = true;
                jobs.build(plan, layout);
            }
            ASSERT_EQ(merged(jobs), expected) << "after pass " << failing;
            if (!failed) break;
        }
    }
}

}  // namespace
}  // namespace galapagos
