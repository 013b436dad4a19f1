// The machine that candidates of one rank live on: a GPU, or the host's twin of one.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "comm/host_pieces.hpp"
#include "comm/tensor_group.hpp"
#include "merge/cuda/merge_launch.hpp"
#include "merge/cuda/resident_tensors.hpp"
#include "merge/cuda/statistic_device.hpp"
#include "model/cuda/device_work.hpp"
#include "weights/residency.hpp"

namespace galapagos::cuda {

/// Merging (what `statistics`, `launch` and a stream-in are asked for) is done in one order, and so
/// is `work`. One goes on beside the other, unless it was told to wait.
template <typename T>
class CandidateMachine {
  public:
    virtual ~CandidateMachine() = default;

    virtual FreeMemory free_memory() const = 0;
    /// Memory of the device; `what` it is for is told where it can't be had.
    virtual std::shared_ptr<std::byte[]> allocate(const std::string& what, std::size_t bytes) = 0;
    /// Memory of the host that the device reads in place, at the same addresses.
    virtual std::shared_ptr<std::byte[]> allocate_pinned(std::size_t bytes) = 0;

    /// The table that the statistics look tensors up in.
    virtual ResidentTensors& tensors() = 0;
    virtual StatisticDevice& statistics() = 0;
    virtual void launch(const MergeLaunch& launch) = 0;
    /// Takes what memory of the host that needs, for stretches of up to `most_bytes`. Not after the
    /// machine is gone.
    virtual StreamIn stream_in(std::size_t most_bytes) = 0;

    virtual DeviceWork<T>& work() = 0;
    /// A part of `work`: a copy within the device.
    virtual void copy(const std::byte* from, std::size_t bytes, std::byte* to) = 0;

    // What is asked for from now on begins when the other's is done that was asked for until now.
    virtual void merging_waits_for_work() = 0;
    virtual void work_waits_for_merging() = 0;
};

/// The group must outlive the machine.
template <typename T>
using MakeMachine = std::function<std::unique_ptr<CandidateMachine<T>>(TensorGroup& group)>;

}  // namespace galapagos::cuda
