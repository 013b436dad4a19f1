// Whole candidates on a real GPU against the CPU's, merged one after the other and run.
#include <gmock/gmock.h>

#include "comm/cuda/errors.hpp"
#include "gpu/gpu_test.hpp"
#include "island/cuda/gpu_candidate.hpp"
#include "island/device_candidate_cases.hpp"

namespace galapagos {
namespace {

using namespace test;

/// The GPU, with as much memory as a test says.
template <typename T>
class SmallGpu final : public cuda::CandidateMachine<T> {
  public:
    SmallGpu(std::unique_ptr<cuda::CandidateMachine<T>> gpu, const FreeMemory& free)
        : gpu_(std::move(gpu)), free_(free) {}

    FreeMemory free_memory() const override { return free_; }
    std::shared_ptr<std::byte[]> allocate(const std::string& what, std::size_t bytes) override {
        return gpu_->allocate(what, bytes);
    }
    std::shared_ptr<std::byte[]> allocate_pinned(std::size_t bytes) override {
        return gpu_->allocate_pinned(bytes);
    }
    cuda::ResidentTensors& tensors() override { return gpu_->tensors(); }
    cuda::StatisticDevice& statistics() override { return gpu_->statistics(); }
    void launch(const cuda::MergeLaunch& launch) override { gpu_->launch(launch); }
    StreamIn stream_in(std::size_t most_bytes) override { return gpu_->stream_in(most_bytes); }
    cuda::DeviceWork<T>& work() override { return gpu_->work(); }
    void copy(const std::byte* from, std::size_t bytes, std::byte* to) override {
        gpu_->copy(from, bytes, to);
    }
    void merging_waits_for_work() override { gpu_->merging_waits_for_work(); }
    void work_waits_for_merging() override { gpu_->work_waits_for_merging(); }

  private:
    std::unique_ptr<cuda::CandidateMachine<T>> gpu_;
    FreeMemory free_;
};

class CandidateOnGpu : public GpuTest {
  protected:
    template <typename T>
    BothCandidates<T> both(const LayerRoute& route = {}) {
        return {sources_, recipes_of_all_methods(), route, Communicator(), cuda::gpu_machine<T>()};
    }
    static cuda::MakeMachine<float> small_gpu(const FreeMemory& free) {
        return [free](TensorGroup& group) {
            return std::make_unique<SmallGpu<float>>(cuda::gpu_machine<float>()(group), free);
        };
    }
    static std::size_t free_bytes() {
        std::size_t free = 0, total = 0;
        cuda::check(cudaMemGetInfo(&free, &total), "can't tell how much GPU memory is free");
        return free;
    }
    /// Waits for the merge too, whose stream the default one doesn't know.
    static void copy_out(const std::byte* from, std::size_t bytes, void* to) {
        cuda::check(cudaDeviceSynchronize(), "a candidate failed");
        cuda::check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "can't copy from the GPU");
    }

    TemporaryFolder folder_;
    Sources sources_ = tiny_sources(folder_, {"base", "a", "b"}, uneven_options());
};

TEST_F(CandidateOnGpu, MergesAndRunsAsTheCpuDoesOneAfterTheOther) {
    auto candidates = both<float>();
    for (const std::string& yaml : recipes_of_all_methods()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_scores(1e-4);
    }
}

TEST_F(CandidateOnGpu, MergesToTheSameBitsInBf16) {
    auto candidates = both<Bf16>();
    for (const std::string& yaml : recipes_of_all_methods()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
        candidates.expect_equal_scores(0.5);
    }
}

TEST_F(CandidateOnGpu, ReadsSourcesInPinnedMemory) {
    const ResidencyNeeds needs = tiny_needs<float>(sources_, recipes_of_all_methods(), 1);
    BothCandidates<float> candidates(sources_, recipes_of_all_methods(), {}, Communicator(),
                                     small_gpu({needs.beside_sources(), needs.sources}));
    ASSERT_EQ(candidates.device().residency().residency, Residency::pinned_host);
    for (const std::string& yaml : recipes_of_all_methods()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
    }
}

/// Batch after batch through a window that the largest tensors fill: the host is ahead of the GPU,
/// which must have read a bounce buffer before it is filled again.
TEST_F(CandidateOnGpu, StreamsSourcesFromTheirFiles) {
    const ResidencyNeeds needs = tiny_needs<float>(sources_, recipes_of_all_methods(), 1);
    BothCandidates<float> candidates(sources_, recipes_of_all_methods(), {}, Communicator(),
                                     small_gpu({needs.streaming(), 0}));
    ASSERT_EQ(candidates.device().residency().residency, Residency::mapped_files);
    const std::size_t at_first = free_bytes();
    for (const std::string& yaml : recipes_of_all_methods()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_tensors(copy_out);
    }
    // Kernels that are loaded when they are first used take some on a GPU.
    if (emulated_) {
        EXPECT_EQ(free_bytes(), at_first);
    }
}

TEST_F(CandidateOnGpu, MergesBesideWhatItRuns) {
    const ResidencyNeeds needs = tiny_needs<float>(sources_, recipes_without_ranks(), 1);
    const FreeMemory two{needs.beside_sources() + needs.candidate, needs.sources};
    BothCandidates<float> candidates(sources_, recipes_without_ranks(), {}, Communicator(),
                                     small_gpu(two));
    ASSERT_TRUE(candidates.device().prepares());
    const std::size_t at_first = free_bytes();
    expect_the_same_whatever_is_foretold(candidates, copy_out);
    // Kernels that are loaded when they are first used take some on a GPU.
    if (emulated_) {
        EXPECT_EQ(free_bytes(), at_first);
    }
}

TEST_F(CandidateOnGpu, FollowsARoute) {
    auto candidates = both<float>({ScaleRule::branch, {{0, 1}, {1, 0.5F}, {0, 0.9F}}});
    candidates.merge(some_recipes().front());
    candidates.expect_equal_greedy_ids();
    candidates.expect_equal_scores(1e-4);
}

}  // namespace
}  // namespace galapagos
