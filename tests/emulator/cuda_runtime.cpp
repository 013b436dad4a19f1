// The calls of the CUDA runtime that the program makes: devices, memory, streams and events.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "emulator/cuda_device.hpp"
#include "emulator/device_memory.hpp"
#include "emulator/status.hpp"

namespace galapagos::emulator {
namespace {

const Allocation* allocation_of(const void* address) {
    return device_memory().find(reinterpret_cast<std::uint64_t>(address));
}

/// Whether a copy may read or write there: memory of the device must be one whole piece of an
/// allocation, memory of the host must not be the device's.
bool is_on(bool device, const void* address, std::size_t bytes) {
    const Allocation* found = allocation_of(address);
    if (!device) return found == nullptr || found->kind != MemoryKind::device;
    return found != nullptr && found->kind != MemoryKind::pinned &&
           found->holds(reinterpret_cast<std::uint64_t>(address), bytes);
}

std::byte* bytes_at(const void* address, std::size_t bytes, bool device) {
    const Allocation* found = allocation_of(address);
    if (device || (found != nullptr && found->kind == MemoryKind::device))
        return device_bytes(address, bytes, "a copy of memory that is gone");
    return static_cast<std::byte*>(const_cast<void*>(address));
}

struct Copy {
    void* to = nullptr;
    const void* from = nullptr;
    std::size_t bytes = 0;
    cudaMemcpyKind kind = cudaMemcpyDefault;

    bool to_device() const {
        return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    }
    bool from_device() const {
        return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    }
    bool valid() const {
        return kind != cudaMemcpyDefault && is_on(to_device(), to, bytes) &&
               is_on(from_device(), from, bytes);
    }
    void run() const {
        std::memmove(bytes_at(to, bytes, to_device()), bytes_at(from, bytes, from_device()), bytes);
    }
};

cudaError_t allocate(void** pointer, std::size_t bytes, MemoryKind kind) {
    if (lasting_error() != cudaSuccess) return lasting_error();
    void* const made = bytes == 0 ? nullptr : device_memory().allocate(bytes, kind);
    if (made == nullptr && bytes > 0) return refuse(cudaErrorMemoryAllocation);
    *pointer = made;
    return cudaSuccess;
}

/// Waits for the device, as the real calls do.
cudaError_t release(void* pointer, bool host) {
    if (pointer == nullptr) return cudaSuccess;
    const cudaError_t code = run_work([] { streams().finish_all(); });
    if (!device_memory().release(pointer, host)) return refuse(cudaErrorInvalidValue);
    return code;
}

/// What a test asks for in place of what the device is.
int asked_for(const char* variable, int otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::atoi(text);
}
/// In cudaDriverGetVersion's way.
int driver_version() { return asked_for("GALAPAGOS_EMULATED_DRIVER", CUDART_VERSION); }

Event& event_of(cudaEvent_t handle) { return *reinterpret_cast<Event*>(handle); }

}  // namespace
}  // namespace galapagos::emulator

using namespace galapagos::emulator;

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) {
    *version = driver_version();
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
    if (driver_version() < CUDART_VERSION) return refuse(cudaErrorInsufficientDriver);
    *count = 1;
    return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
    return device == 0 ? cudaSuccess : refuse(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device != 0) return refuse(cudaErrorInvalidDevice);
    *properties = {};
    std::strcpy(properties->name, "emulated");
    std::memset(properties->uuid.bytes, 0xE0, sizeof properties->uuid.bytes);
    properties->totalGlobalMem = DeviceMemory::total_bytes;
    properties->multiProcessorCount = multiprocessors;
    properties->major = asked_for("GALAPAGOS_EMULATED_CAPABILITY", 8);
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
    if (which != cudaDevAttrMultiProcessorCount) return refuse(cudaErrorNotSupported);
    *value = multiprocessors;
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
    return run_work([] { streams().finish_all(); });
}

cudaError_t cudaGetLastError() { return take_last_error(); }
const char* cudaGetErrorName(cudaError_t code) {
    switch (code) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorInvalidValue:
            return "cudaErrorInvalidValue";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInvalidConfiguration:
            return "cudaErrorInvalidConfiguration";
        case cudaErrorNotReady:
            return "cudaErrorNotReady";
        case cudaErrorInsufficientDriver:
            return "cudaErrorInsufficientDriver";
        case cudaErrorStreamCaptureUnsupported:
            return "cudaErrorStreamCaptureUnsupported";
        case cudaErrorLaunchFailure:
            return "cudaErrorLaunchFailure";
        default:
            return "another CUDA error";
    }
}
const char* cudaGetErrorString(cudaError_t code) { return error_text(code); }

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    return allocate(pointer, bytes, MemoryKind::device);
}
cudaError_t cudaMallocManaged(void** pointer, std::size_t bytes, unsigned) {
    return allocate(pointer, bytes, MemoryKind::managed);
}
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
    return allocate(pointer, bytes, MemoryKind::pinned);
}
cudaError_t cudaFree(void* pointer) { return release(pointer, false); }
cudaError_t cudaFreeHost(void* pointer) { return release(pointer, true); }
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = device_memory().free_bytes();
    *total = DeviceMemory::total_bytes;
    return cudaSuccess;
}

/// Of the default stream, for which other streams don't wait. The call returns when pageable host
/// memory has been read, not when the bytes have arrived on the device.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const Copy copy{to, from, bytes, kind};
    if (!copy.valid()) return refuse(cudaErrorInvalidValue);
    Stream& stream = streams().standard();
    if (const cudaError_t code = run_work([&] { stream.finish(); })) return code;
    if (kind != cudaMemcpyHostToDevice || allocation_of(from) != nullptr)
        return run_work([&] { copy.run(); });
    const auto* const first = static_cast<const std::byte*>(from);
    stream.queue([to, kind, read = std::vector<std::byte>(first, first + bytes)] {
        Copy{to, read.data(), read.size(), kind}.run();
    });
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    if (lasting_error() != cudaSuccess) return lasting_error();
    const Copy copy{to, from, bytes, kind};
    if (!copy.valid()) return refuse(cudaErrorInvalidValue);
    stream_of(stream).queue([copy] { copy.run(); });
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t stream) {
    if (!is_on(true, at, bytes)) return refuse(cudaErrorInvalidValue);
    stream_of(stream).queue([=] { std::memset(bytes_at(at, bytes, true), value, bytes); });
    return cudaSuccess;
}

/// Nothing here starts before its turn.
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
    // Others would wait for the default stream and it for them.
    if (flags != cudaStreamNonBlocking) return refuse(cudaErrorNotSupported);
    Stream* const made = streams().make();
    made->priority = priority;
    *stream = reinterpret_cast<cudaStream_t>(made);
    return cudaSuccess;
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
    *priority = stream_of(stream).priority;
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t) {
    // Its work has still to be done, and events may name it.
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (stream_of(stream).recording()) return refuse(cudaErrorStreamCaptureUnsupported);
    return run_work([&] { stream_of(stream).finish(); });
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    if (stream_of(stream).recording()) return refuse(cudaErrorStreamCaptureUnsupported);
    if (stream_of(stream).idle()) return lasting_error();
    // Those who poll a stream sleep in between.
    constexpr int pieces = 8;
    const cudaError_t code = run_work([&] {
        for (int i = 0; i < pieces; ++i) stream_of(stream).step();
    });
    return code == cudaSuccess ? cudaErrorNotReady : code;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    if (stream_of(stream).recording()) return refuse(cudaErrorStreamCaptureUnsupported);
    stream_of(stream).wait_for(event_of(event));
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
    auto made = std::make_unique<Event>();
    made->timed = (flags & cudaEventDisableTiming) == 0;
    *event = reinterpret_cast<cudaEvent_t>(made.release());
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete &event_of(event);
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    if (stream_of(stream).recording()) return refuse(cudaErrorStreamCaptureUnsupported);
    stream_of(stream).record(event_of(event));
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t handle) {
    Event& event = event_of(handle);
    if (event.is_reached()) return lasting_error();
    const cudaError_t code = run_work([&] { event.stream->step(); });
    return code == cudaSuccess ? cudaErrorNotReady : code;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    for (const Event* event : {&event_of(from), &event_of(to)}) {
        if (!event->timed || event->recorded == 0) return refuse(cudaErrorInvalidValue);
        if (!event->is_reached()) return refuse(cudaErrorNotReady);
    }
    *milliseconds = 0;
    return cudaSuccess;
}
}
