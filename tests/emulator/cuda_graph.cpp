// Recorded work. Of a recorded stream nobody may ask whether it is done, nor mark points in it
// (CUDA would take the latter, but the program doesn't).
#include <cuda_runtime_api.h>

#include <algorithm>
#include <set>

#include "emulator/cuda_device.hpp"
#include "emulator/status.hpp"

using galapagos::emulator::refuse;
using galapagos::emulator::Stream;
using galapagos::emulator::stream_of;
using galapagos::emulator::Tasks;

namespace {

/// All that there are, runnable or not.
std::set<const Tasks*> graphs;

template <typename Handle>
cudaError_t make(Tasks tasks, Handle* handle) {
    const auto* const made = new Tasks(std::move(tasks));
    graphs.insert(made);
    *handle = reinterpret_cast<Handle>(const_cast<Tasks*>(made));
    return cudaSuccess;
}
template <typename Handle>
cudaError_t destroy(Handle handle) {
    const auto* const tasks = reinterpret_cast<const Tasks*>(handle);
    graphs.erase(tasks);
    delete tasks;
    return cudaSuccess;
}

}  // namespace

bool galapagos::emulator::is_recorded(const void* communicator) {
    return streams().record_work_of(communicator) ||
           std::any_of(graphs.begin(), graphs.end(), [communicator](const Tasks* tasks) {
               return hold_work_of(communicator, *tasks);
           });
}

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    if (stream == nullptr || stream_of(stream).recording())
        return refuse(cudaErrorStreamCaptureUnsupported);
    stream_of(stream).begin_recording();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    Stream& stream = stream_of(handle);
    *graph = nullptr;
    if (!stream.recording()) return refuse(cudaErrorStreamCaptureInvalidated);
    return make(stream.end_recording(), graph);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
    *status =
        stream_of(stream).recording() ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* runnable, cudaGraph_t graph, unsigned long long) {
    return make(*reinterpret_cast<Tasks*>(graph), runnable);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t runnable, cudaStream_t stream) {
    for (const auto& task : *reinterpret_cast<Tasks*>(runnable)) stream_of(stream).queue_task(task);
    return galapagos::emulator::lasting_error();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t runnable) { return destroy(runnable); }
}
