// Whole candidates in a GPU's memory, by the twins of all its kernels, against the CPU's: merged
// one after the other into the same memory, then run. Runs under mpirun with 1 and 2 ranks: the
// tensor-parallel width.
#include "island/device_candidate_cases.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "merge/device_twin.hpp"
#include "merge/statistic_twin.hpp"
#include "model/cuda/pass_bytes.hpp"
#include "model/host_work.hpp"

namespace galapagos {
namespace {

using namespace test;
using ::testing::HasSubstr;

/// What a machine was asked for.
struct Counts {
    int statistics = 0;
    int merges = 0;
    std::size_t allocated = 0;
};

class CountedStatistics final : public StatisticTwin {
  public:
    CountedStatistics(const cuda::ResidentTensors& tensors, Counts& counts)
        : StatisticTwin(&tensors), counts_(counts) {}
    void launch(const cuda::StatisticLaunch& launch) override {
        ++counts_.statistics;
        StatisticTwin::launch(launch);
    }

  private:
    Counts& counts_;
};

template <typename T>
class TwinMachine final : public cuda::CandidateMachine<T> {
  public:
    TwinMachine(TensorGroup& group, std::size_t free_bytes, Counts& counts)
        : free_bytes_(free_bytes), counts_(counts), statistics_(tensors_, counts), work_(group) {}

    FreeMemory free_memory() const override { return {free_bytes_, free_bytes_}; }
    std::shared_ptr<std::byte[]> allocate(const std::string&, std::size_t bytes) override {
        counts_.allocated += bytes;
        return twin_memory(bytes);
    }
    cuda::ResidentTensors& tensors() override { return tensors_; }
    cuda::StatisticDevice& statistics() override { return statistics_; }
    void launch(const cuda::MergeLaunch& launch) override {
        ++counts_.merges;
        run_on_host(launch);
    }
    cuda::DeviceWork<T>& work() override { return work_; }

  private:
    std::size_t free_bytes_;
    Counts& counts_;
    cuda::ResidentTensors tensors_;
    CountedStatistics statistics_;
    HostWork<T> work_;
};

class DeviceCandidateTest : public ::testing::Test {
  protected:
    template <typename T>
    cuda::MakeMachine<T> twin(std::size_t free_bytes = std::size_t{80} << 30) {
        return [this, free_bytes](TensorGroup& group) {
            return std::make_unique<TwinMachine<T>>(group, free_bytes, counts_);
        };
    }
    template <typename T>
    BothCandidates<T> both(const LayerRoute& route = {}) {
        return {sources_, some_recipes(), route, group_, twin<T>()};
    }
    static void copy_out(const std::byte* from, std::size_t bytes, void* to) {
        std::memcpy(to, from, bytes);
    }

    Communicator group_ = Communicator::world();
    TemporaryFolder folder_;
    Sources sources_ = tiny_sources(folder_, {"base", "a", "b"}, uneven_options());
    Counts counts_;
};

TEST_F(DeviceCandidateTest, MergesAndRunsAsTheCpuDoesOneAfterTheOther) {
    auto candidates = both<float>();
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_scores(1e-4);
    }
}

TEST_F(DeviceCandidateTest, MergesToTheSameBitsInBf16) {
    auto candidates = both<Bf16>();
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
    }
    candidates.expect_equal_scores(0.5);
}

TEST_F(DeviceCandidateTest, FollowsARoute) {
    auto candidates = both<float>({ScaleRule::branch, {{0, 1}, {1, 0.5F}, {0, 0.9F}}});
    candidates.merge(some_recipes().front());
    candidates.expect_equal_greedy_ids();
    candidates.expect_equal_scores(1e-4);
}

TEST_F(DeviceCandidateTest, StatisticsAreKeptFromCandidateToCandidate) {
    auto candidates = both<float>();
    const auto ties = [](double weight) {
        return fmt::format(
            "merge_method: ties\nbase_model: base\nmodels: [{{model: a}}, {{model: b}}]\n"
            "parameters: {{weight: {}, density: 0.4}}\n",
            weight);
    };
    candidates.merge(ties(0.5));
    const Counts first = counts_;
    candidates.merge(ties(0.75));
    candidates.expect_equal_tensors(copy_out);
    EXPECT_EQ(first.merges, 1);
    EXPECT_EQ(counts_.merges, 2);
    if (group_.size() > 1) {  // none has whole tensors to take statistics of
        EXPECT_EQ(counts_.statistics, 0);
        return;
    }
    EXPECT_GT(first.statistics, 50);
    // Cuts inside a step are looked up again, for all tensors together.
    EXPECT_LE(counts_.statistics - first.statistics, 4);
}

TEST_F(DeviceCandidateTest, TakesNoMemoryAfterItIsMade) {
    auto candidates = both<float>();
    const std::size_t at_first = counts_.allocated;
    EXPECT_GT(at_first, 0u);
    for (const std::string& yaml : some_recipes()) candidates.merge(yaml);
    candidates.expect_equal_scores(1e-4);
    EXPECT_EQ(counts_.allocated, at_first);
}

/// The least memory that a candidate can be made with: every part of it is counted, and a byte less
/// is refused at the start.
TEST_F(DeviceCandidateTest, WhatDoesNotFitIsRefusedAtTheStart) {
    const std::vector<MergePlan> forms = plans_of(some_recipes(), sources_);
    const Architecture architecture =
        candidate_architecture(sources_[0]->config(), *sources_[0], sources_);
    const auto error_of = [&](std::size_t free_bytes) -> std::string {
        try {
            cuda::DeviceCandidate<float>(sources_, *sources_[0], architecture, {}, Communicator(),
                                         5, tiny_decoder(), forms, twin<float>(free_bytes));
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    std::size_t too_little = 0, enough = std::size_t{2} << 30;
    while (enough - too_little > 1) {
        const std::size_t middle = too_little + (enough - too_little) / 2;
        (error_of(middle).empty() ? enough : too_little) = middle;
    }
    const std::size_t allocated = counts_.allocated;
    EXPECT_EQ(error_of(enough), "");
    DecoderOptions options = tiny_decoder();
    options.dtype = DType::f32;
    const Sharding sharding(sources_[0]->config(), 1, 0);
    const Arena arena(arena_specs(architecture, sharding, DType::f32));
    TensorGroup alone;
    EXPECT_EQ(enough,
              counts_.allocated - allocated + library_bytes +
                  cuda::device_pass_bytes<float>(architecture, sharding, arena, alone, options,
                                                 LayerRoute::plain(architecture.layers)));
    EXPECT_THAT(error_of(too_little),
                AllOf(HasSubstr("can't be merged on the GPU yet (The sources (0.00 GiB) lie in "
                                "pinned memory of the host, since"),
                      HasSubstr("use more tensor-parallel ranks")));
    EXPECT_THAT(error_of(library_bytes), HasSubstr("a candidate doesn't fit"));
}

}  // namespace
}  // namespace galapagos
