// Work of a stream that was recorded: queued again with one call.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>

#include "comm/cuda/stream.hpp"

namespace galapagos::cuda {

/// Kernels with the arguments that they had when they were recorded; what lies at their addresses
/// may change.
class Graph {
  public:
    /// Records what `queue` queues on the stream. None of it runs. It may not wait for the device.
    Graph(const Stream& stream, const std::function<void()>& queue);

    void launch(const Stream& stream) const;

  private:
    struct Destroy {
        void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
    };
    std::unique_ptr<CUgraphExec_st, Destroy> runnable_;
};

/// Drops what is being recorded on the stream, if anything is.
void abandon_recording(const Stream& stream);

}  // namespace galapagos::cuda
