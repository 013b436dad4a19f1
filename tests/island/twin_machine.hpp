// A machine for candidates without a GPU: the twins of its kernels, the CPU's matrix products, and
// as much memory as a test says.
#pragma once

#include <string>

#include "base/error.hpp"
#include "island/cuda/candidate_machine.hpp"
#include "merge/device_twin.hpp"
#include "merge/statistic_twin.hpp"
#include "model/host_work.hpp"

namespace galapagos::test {

/// What a machine was asked for.
struct Counts {
    int statistics = 0;
    int merges = 0, merges_beside_work = 0;
    int batches = 0;  ///< of streamed sources
    std::size_t allocated = 0, pinned = 0;
    // To be asked for, by a test.
    bool refuse_merges = false;
    std::string refused_memory;  ///< what there is no memory for
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
    TwinMachine(TensorGroup& group, const FreeMemory& free, Counts& counts)
        : free_(free), counts_(counts), statistics_(tensors_, counts), work_(group) {}

    FreeMemory free_memory() const override { return free_; }
    std::shared_ptr<std::byte[]> allocate(const std::string& what, std::size_t bytes) override {
        if (what == counts_.refused_memory) throw Error("no memory for " + what);
        counts_.allocated += bytes;
        return twin_memory(bytes);
    }
    std::shared_ptr<std::byte[]> allocate_pinned(std::size_t bytes) override {
        counts_.pinned += bytes;
        return twin_memory(bytes);
    }
    cuda::ResidentTensors& tensors() override { return tensors_; }
    cuda::StatisticDevice& statistics() override { return statistics_; }
    void launch(const cuda::MergeLaunch& launch) override {
        if (counts_.refuse_merges) throw Error("can't start the merge kernel");
        ++counts_.merges;
        if (launch.beside_work) ++counts_.merges_beside_work;
        run_on_host(launch);
    }
    StreamIn stream_in(std::size_t) override {
        return [this, copy = twin_stream_in()](std::size_t bytes, const FillPiece& fill,
                                               std::byte* to) {
            ++counts_.batches;
            copy(bytes, fill, to);
        };
    }
    cuda::DeviceWork<T>& work() override { return work_; }
    void copy(const std::byte* from, std::size_t bytes, std::byte* to) override {
        std::memcpy(to, from, bytes);
    }
    void merging_waits_for_work() override {}
    void work_waits_for_merging() override {}

  private:
    FreeMemory free_;
    Counts& counts_;
    cuda::ResidentTensors tensors_;
    CountedStatistics statistics_;
    HostWork<T> work_;
};

template <typename T>
cuda::MakeMachine<T> twin_machine(const FreeMemory& free, Counts& counts) {
    return [free, &counts](TensorGroup& group) {
        return std::make_unique<TwinMachine<T>>(group, free, counts);
    };
}

}  // namespace galapagos::test
