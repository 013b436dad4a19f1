// Whole candidates of every method through the GPU's kernels of statistics and merging, by their
// host's twins, with what the job builder makes of recipes: the bytes are those of the CPU's merger.
#include <gtest/gtest.h>

#include <numeric>

#include "merge/device_twin.hpp"
#include "merge/job_builder.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace test;

constexpr std::uint64_t seed = 5;

/// A plan's tensors as jobs, with their statistics.
class Jobs {
  public:
    Jobs(const MergePlan& plan, const Sources& sources, StatisticPasses& passes)
        : statistics_(passes) {
        std::vector<StatisticRequest> requests;
        jobs_.resize(plan.tensors.size());
        for (std::size_t i = 0; i < jobs_.size(); ++i)
            build_job(plan.tensors[i], sources, seed, i, jobs_[i], requests);
        for (TensorJob& job : jobs_) add_tables(job, statistics_);
        std::vector<std::size_t> all(requests.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        std::vector<CutRequest> cuts;
        std::vector<Outcome> outcomes(requests.size());
        compute_outcomes(jobs_, requests, all, statistics_, cuts, outcomes);
        for (std::size_t i = 0; i < requests.size(); ++i)
            apply_outcome(requests[i], outcomes[i], jobs_[requests[i].job]);
    }
    const TensorJob& operator[](std::size_t i) const { return jobs_[i]; }

  private:
    SourceStatistics statistics_;  // holds the jobs' ranks
    std::vector<TensorJob> jobs_;
};

Arena arena_for(const MergePlan& plan, const Sharding& sharding) {
    std::vector<TensorSpec> specs;
    for (const TensorMerge& tensor : plan.tensors)
        specs.push_back({tensor.output_name, DType::bf16,
                         sharding.local_shape(tensor.output_name, tensor.shape)});
    return Arena(specs);
}

/// One rank's part of a candidate.
void compare(const MergePlan& plan, const Jobs& jobs, const Sources& sources,
             const Sharding& sharding) {
    Arena arena = arena_for(plan, sharding);
    Merger(sources, sharding, seed).merge(plan, arena);
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        const std::string& name = plan.tensors[i].output_name;
        DeviceJobCase tensor;
        tensor.job = jobs[i];
        tensor.shape = plan.tensors[i].shape;
        tensor.slice = sharding.slice(name, tensor.shape);
        tensor.out_dtype = DType::bf16;
        std::vector<DeviceJob> entries;
        const TensorView expected = arena.view(name);
        ASSERT_EQ(merged_by_twin(tensor, 0, entries),
                  std::vector(expected.data, expected.data + expected.bytes()))
            << name << " at " << sharding.rank() << "/" << sharding.size();
    }
}

TEST(DeviceCandidate, HasTheBytesOfTheCpuAtEveryTensorParallelWidth) {
    const TemporaryFolder folder;
    StatisticTwin twin;
    DevicePasses passes(twin);
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    for (const std::string& yaml : recipes_of_all_methods()) {
        const MergePlan plan = plan_of(yaml, sources);
        const Jobs jobs(plan, sources, passes);
        for (const int width : {1, 2, 6})
            for (int rank = 0; rank < width; ++rank) {
                SCOPED_TRACE(yaml);
                compare(plan, jobs, sources, Sharding(sources[0]->config(), width, rank));
                if (HasFatalFailure()) return;
            }
    }
}

}  // namespace
}  // namespace galapagos
