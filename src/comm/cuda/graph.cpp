#include "comm/cuda/graph.hpp"

#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {
namespace {

constexpr const char* failed = "work of the GPU can't be recorded";

struct DestroyRecording {
    void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Recording = std::unique_ptr<CUgraph_st, DestroyRecording>;

/// Ends what cudaStreamBeginCapture began.
Recording end_of(const Stream& stream, cudaError_t& code) {
    cudaGraph_t graph = nullptr;
    code = cudaStreamEndCapture(stream.handle(), &graph);
    return Recording(graph);
}

Recording record(const Stream& stream, const std::function<void()>& queue) {
    // Relaxed: NCCL queues from a thread of its own, and may allocate.
    check(cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeRelaxed), failed);
    cudaError_t code = cudaSuccess;
    try {
        queue();
    } catch (...) {
        abandon_recording(stream);
        throw;
    }
    Recording recording = end_of(stream, code);
    check(code, failed);
    return recording;
}

}  // namespace

Graph::Graph(const Stream& stream, const std::function<void()>& queue) {
    const Recording recording = record(stream, queue);
    cudaGraphExec_t made = nullptr;
    check(cudaGraphInstantiate(&made, recording.get(), 0), failed);
    runnable_.reset(made);
}

void Graph::launch(const Stream& stream) const {
    check(cudaGraphLaunch(runnable_.get(), stream.handle()), "recorded work of the GPU failed");
}

void abandon_recording(const Stream& stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (cudaStreamIsCapturing(stream.handle(), &status) != cudaSuccess) return;
    if (status == cudaStreamCaptureStatusNone) return;
    cudaError_t code = cudaSuccess;
    end_of(stream, code);
    cudaGetLastError();
}

}  // namespace galapagos::cuda
