#include "comm/cuda/stream.hpp"

#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {
namespace {

/// False while the work goes on; throws if it failed.
bool done(cudaError_t code) {
    if (code == cudaErrorNotReady) return false;
    check(code, "work on the GPU failed");
    return true;
}

}  // namespace

Stream::Stream(Priority priority) {
    constexpr const char* failed = "can't make a stream on the GPU";
    int low = 0, high = 0;  // the higher, the less
    check(cudaDeviceGetStreamPriorityRange(&low, &high), failed);
    const int number = priority == Priority::low      ? low
                       : priority == Priority::middle ? (low + high) / 2
                                                      : high;
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, number), failed);
    handle_.reset(made);
}

bool Stream::idle() const { return done(cudaStreamQuery(handle())); }

void Stream::synchronize() const {
    check(cudaStreamSynchronize(handle()), "work on the GPU failed");
}

void Stream::wait_for(const Event& event) const {
    check(cudaStreamWaitEvent(handle(), event.handle()), "a stream can't wait for another");
}

Event::Event(Timing timing) {
    cudaEvent_t made = nullptr;
    check(cudaEventCreateWithFlags(
              &made, timing == Timing::on ? cudaEventDefault : cudaEventDisableTiming),
          "can't make an event on the GPU");
    handle_.reset(made);
}

void Event::record(const Stream& stream) const {
    check(cudaEventRecord(handle(), stream.handle()), "can't mark a point in a stream");
}

bool Event::reached() const { return done(cudaEventQuery(handle())); }

double Event::seconds_since(const Event& earlier) const {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, earlier.handle(), handle()),
          "can't tell the time between two events");
    return milliseconds / 1e3;
}

}  // namespace galapagos::cuda
