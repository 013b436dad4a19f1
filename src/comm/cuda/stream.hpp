// Order of work on a GPU: streams, and events that mark points in them.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>

namespace galapagos::cuda {

class Event;

/// A queue of work on the current device, independent of the default stream. All members throw
/// Error with the reason when the device fails, also for work that was queued before.
class Stream {
  public:
    enum class Priority { low, middle, high };
    /// What waits in a stream of higher priority starts before what waits in others; what runs goes
    /// on.
    explicit Stream(Priority priority = Priority::low);

    cudaStream_t handle() const noexcept { return handle_.get(); }
    /// True when everything queued so far is done. Never waits.
    bool idle() const;
    /// Waits for everything queued so far; MPI makes no progress meanwhile.
    void synchronize() const;
    /// What is queued from now on starts after the event. Waits on the device, not here.
    void wait_for(const Event& event) const;

  private:
    struct Destroy {
        void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
    };
    std::unique_ptr<CUstream_st, Destroy> handle_;
};

/// A point in a stream.
class Event {
  public:
    enum class Timing { off, on };
    /// Without timing, waiting for it is cheaper.
    explicit Event(Timing timing = Timing::off);

    cudaEvent_t handle() const noexcept { return handle_.get(); }
    void record(const Stream& stream) const;
    /// True when the stream got past the point that was recorded last. Never waits.
    bool reached() const;
    /// Between two events with timing that were both reached.
    double seconds_since(const Event& earlier) const;

  private:
    struct Destroy {
        void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
    };
    std::unique_ptr<CUevent_st, Destroy> handle_;
};

}  // namespace galapagos::cuda
