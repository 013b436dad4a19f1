// A device pass's work on a GPU.
#pragma once

#include <array>
#include <map>
#include <optional>

#include "comm/cuda/bounce_buffers.hpp"
#include "comm/cuda/graph.hpp"
#include "comm/cuda/memory.hpp"
#include "comm/cuda/nccl_communicator.hpp"
#include "comm/cuda/stream.hpp"
#include "comm/tensor_group.hpp"
#include "model/cuda/device_work.hpp"
#include "model/cuda/matrix_products.hpp"

namespace galapagos::cuda {

/// Queues everything on one stream of the current device, but for what goes beside it. Where it
/// waits for the device, a lost rank of the group ends in an Error.
template <typename T>
class CudaWork final : public DeviceWork<T> {
  public:
    /// Collective over the group: several ranks are joined by NCCL. The stream must outlive the
    /// work. `patience` is how long a wait for other ranks may take.
    CudaWork(const Stream& stream, const TensorGroup& group,
             Patience patience = std::chrono::minutes(2));
    CudaWork(const CudaWork&) = delete;
    CudaWork& operator=(const CudaWork&) = delete;

    /// Takes the workspace of the products too.
    std::byte* reserve(std::size_t bytes) override;
    /// Several ranks' is NCCL's own.
    std::byte* reserve_exchanged(std::size_t bytes) override;
    void run(const ForwardJob<T>& job) override;
    void multiply(const T* input, std::int64_t rows, std::span<const Product<T>> products) override;
    void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                          float* output) override;
    /// From GPU to GPU.
    void gather_shares(float* shares, std::int64_t count) override;
    void exchange_shares(const float* shares, float* received, std::int64_t count) override;
    void gather_rows(T* rows, std::int64_t count) override;
    void sum_shares(float* share, std::int64_t count) override;
    /// On a stream of its own, which goes first where both wait for a place on the GPU.
    void beside(int number, const std::function<void()>& queue) override;
    void await(int number) override;
    /// Records a shape of steps that comes often as a graph.
    void replay(const StepShape& shape, const std::function<void()>& step) override;
    void forget_steps() override;
    void copy_in(const void* from, std::size_t bytes, void* to) override;
    void copy_out(const void* from, std::size_t bytes, void* to) override;

  private:
    struct Step {
        std::int64_t seen = 0;
        std::optional<Graph> graph;
    };
    static constexpr std::size_t staging_bytes = std::size_t{256} << 10;

    /// A second stream, and points in both.
    struct Side {
        Stream stream{Stream::Priority::high};
        Event begin;
        std::array<Event, 2> ends;
    };

    template <typename Element>
    void gather(Element* all, std::int64_t count);
    void meet();
    void wait();
    void drop_graphs();

    const Stream& stream_;
    const Stream* queue_;  ///< where kernels and collectives go: the stream, or the one beside it
    Communicator members_;
    int rank_;
    /// Of the group's ranks, if there are several. Goes after the graphs that it is in.
    std::optional<NcclCommunicator> gpus_;
    std::optional<Side> side_;  ///< of several ranks
    std::map<StepShape, Step> steps_;
    int graphs_ = 0;
    MatrixProducts<T> products_;
    std::optional<DeviceArena> memory_, exchanged_;
    BounceBuffers bounce_;
    PinnedBuffer arrived_{staging_bytes};
};

}  // namespace galapagos::cuda
