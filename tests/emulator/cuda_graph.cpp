// Recorded work. Of a recorded stream nobody may ask whether it is done, nor mark points in it
// (CUDA would take the latter, but the program doesn't).
#include <cuda_runtime_api.h>

#include "emulator/cuda_device.hpp"
#include "emulator/status.hpp"

using galapagos::emulator::refuse;
using galapagos::emulator::Stream;
using galapagos::emulator::stream_of;
using galapagos::emulator::Tasks;

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
    *graph = reinterpret_cast<cudaGraph_t>(new Tasks(stream.end_recording()));
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* runnable, cudaGraph_t graph, unsigned long long) {
    *runnable = reinterpret_cast<cudaGraphExec_t>(new Tasks(*reinterpret_cast<Tasks*>(graph)));
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t runnable, cudaStream_t stream) {
    for (const auto& task : *reinterpret_cast<Tasks*>(runnable)) stream_of(stream).queue_task(task);
    return galapagos::emulator::lasting_error();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete reinterpret_cast<Tasks*>(graph);
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t runnable) {
    delete reinterpret_cast<Tasks*>(runnable);
    return cudaSuccess;
}
}
