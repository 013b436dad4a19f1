#include "model/cuda/cuda_work.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "model/cuda/beside_pass.hpp"
#include "model/cuda/forward_kernels.hpp"

namespace galapagos::cuda {

namespace {

constexpr const char* group_failed = "work on the GPUs of an evaluator failed";

/// Steps of one shape that are queued call by call before one is recorded, which costs about as
/// much as these. By then cuBLAS has made its choices and NCCL its connections.
constexpr int seen_before_recording = 3;

/// Sends every rank its slice of this rank's [ranks][count], and receives those of all for this
/// rank.
ncclResult_t exchange_slices(const float* slices, float* received, std::size_t count,
                             ncclComm_t gpus, cudaStream_t stream) {
    int ranks = 0;
    ncclResult_t code = ncclCommCount(gpus, &ranks);
    if (code == ncclSuccess) code = ncclGroupStart();
    if (code != ncclSuccess) return code;
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(ranks); ++rank) {
        const auto queued = [&](ncclResult_t result) {
            if (code == ncclSuccess && result != ncclInProgress) code = result;
        };
        queued(ncclSend(slices + rank * count, count, ncclFloat, static_cast<int>(rank), gpus,
                        stream));
        queued(ncclRecv(received + rank * count, count, ncclFloat, static_cast<int>(rank), gpus,
                        stream));
    }
    const ncclResult_t end = ncclGroupEnd();
    return code == ncclSuccess ? end : code;
}

}  // namespace

template <typename T>
CudaWork<T>::CudaWork(const Stream& stream, const TensorGroup& group, Patience patience)
    : stream_(stream),
      queue_(&stream),
      members_(group.communicator()),
      rank_(group.rank()),
      bounce_(staging_bytes, 4) {
    if (group.size() == 1) return;
    gpus_.emplace(members_, patience);
    gpus_->before_abort([this] { drop_graphs(); });
    side_.emplace();
    meet();
}

/// Has NCCL make its connections and their buffers, so that what the GPU can't hold is known at the
/// start, and no candidate waits for it.
template <typename T>
void CudaWork<T>::meet() {
    constexpr std::int64_t count = 1024;
    const std::int64_t all = gpus_->size() * count;
    auto* const shares = reinterpret_cast<float*>(
        gpus_->allocate(2 * static_cast<std::size_t>(all) * sizeof(float), members_));
    gather_shares(shares, count);
    exchange_shares(shares, shares + all, count);
    sum_shares(shares, count);
    wait();
}

template <typename T>
std::byte* CudaWork<T>::reserve(std::size_t bytes) {
    if (memory_)
        throw Error("Cannot reserve memory on the GPU", "this work has its memory already");
    MemoryPlan plan;
    const std::size_t pass = plan.add("forward pass", bytes);
    const std::size_t products = plan.add("matrix products", product_bytes);
    memory_.emplace(plan);
    products_.use(memory_->at(products));
    return memory_->at(pass);
}

template <typename T>
std::byte* CudaWork<T>::reserve_exchanged(std::size_t bytes) {
    if (gpus_) return gpus_->allocate(bytes, members_);
    MemoryPlan plan;
    plan.add("forward pass", bytes);
    return exchanged_.emplace(plan).at(0);
}

template <typename T>
void CudaWork<T>::run(const ForwardJob<T>& job) {
    std::visit([&](const auto& kind) { run_kernel(kind, *queue_); }, job);
}

template <typename T>
void CudaWork<T>::multiply(const T* input, std::int64_t rows,
                           std::span<const Product<T>> products) {
    for (const Product<T>& product : products)
        products_.multiply(product.layer, input, rows, product.output, stream_);
}

template <typename T>
void CudaWork<T>::multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                                   float* output) {
    products_.multiply_partial(layer, input, rows, output, stream_);
}

template <typename T>
template <typename Element>
void CudaWork<T>::gather(Element* all, std::int64_t count) {
    gpus_.value().run(group_failed, [&](ncclComm_t gpus) {
        return ncclAllGather(all + rank_ * count, all, static_cast<std::size_t>(count),
                             std::is_same_v<Element, float> ? ncclFloat : ncclBfloat16, gpus,
                             queue_->handle());
    });
}

template <typename T>
void CudaWork<T>::gather_shares(float* shares, std::int64_t count) {
    gather(shares, count);
}

template <typename T>
void CudaWork<T>::exchange_shares(const float* shares, float* received, std::int64_t count) {
    gpus_.value().run(group_failed, [&](ncclComm_t gpus) {
        return exchange_slices(shares, received, static_cast<std::size_t>(count), gpus,
                               queue_->handle());
    });
}

template <typename T>
void CudaWork<T>::gather_rows(T* rows, std::int64_t count) {
    gather(rows, count);
}

template <typename T>
void CudaWork<T>::sum_shares(float* share, std::int64_t count) {
    gpus_.value().run(group_failed, [&](ncclComm_t gpus) {
        return ncclAllReduce(share, share, static_cast<std::size_t>(count), ncclFloat, ncclSum,
                             gpus, queue_->handle());
    });
}

template <typename T>
void CudaWork<T>::beside(int number, const std::function<void()>& queue) {
    Side& side = side_.value();
    side.begin.record(stream_);
    side.stream.wait_for(side.begin);
    queue_ = &side.stream;
    try {
        queue();
    } catch (...) {
        queue_ = &stream_;
        throw;
    }
    queue_ = &stream_;
    side.ends.at(static_cast<std::size_t>(number)).record(side.stream);
}

template <typename T>
void CudaWork<T>::await(int number) {
    stream_.wait_for(side_.value().ends.at(static_cast<std::size_t>(number)));
}

template <typename T>
void CudaWork<T>::replay(const StepShape& shape, const std::function<void()>& step) {
    Step& known = steps_[shape];
    if (!known.graph) {
        if (++known.seen <= seen_before_recording || graphs_ == most_graphs) return step();
        known.graph.emplace(stream_, step);
        ++graphs_;
    }
    known.graph->launch(stream_);
}

template <typename T>
void CudaWork<T>::forget_steps() {
    if (graphs_ > 0) wait();
    steps_.clear();
    graphs_ = 0;
}

/// Also the one that is being recorded, whose place is kept: who records it is on the way out.
template <typename T>
void CudaWork<T>::drop_graphs() {
    abandon_recording(stream_);
    for (auto& [shape, step] : steps_) step.graph.reset();
    graphs_ = 0;
}

template <typename T>
void CudaWork<T>::copy_in(const void* from, std::size_t bytes, void* to) {
    const auto fill = [source = static_cast<const std::byte*>(from)](
                          std::size_t begin, std::size_t end, std::byte* piece) {
        std::memcpy(piece, source + begin, end - begin);
    };
    auto* const target = static_cast<std::byte*>(to);
    if (!gpus_) return bounce_.copy_in(stream_, bytes, fill, target);
    bounce_.copy_in(stream_, bytes, fill, target,
                    [this](const Event& read) { gpus_->wait(read, group_failed); });
}

template <typename T>
void CudaWork<T>::wait() {
    if (gpus_)
        gpus_->wait(stream_, group_failed);
    else
        stream_.synchronize();
}

template <typename T>
void CudaWork<T>::copy_out(const void* from, std::size_t bytes, void* to) {
    const auto* source = static_cast<const std::byte*>(from);
    auto* target = static_cast<std::byte*>(to);
    for (std::size_t at = 0; at < bytes; at += staging_bytes) {
        const std::size_t size = std::min(staging_bytes, bytes - at);
        check(cudaMemcpyAsync(arrived_.data(), source + at, size, cudaMemcpyDeviceToHost,
                              stream_.handle()),
              "can't copy from the GPU");
        wait();
        std::memcpy(target + at, arrived_.data(), size);
    }
}

template class CudaWork<float>;
template class CudaWork<Bf16>;

}  // namespace galapagos::cuda
