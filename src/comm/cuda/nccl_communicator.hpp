// The GPUs of an evaluator's ranks as one group.
#pragma once

#include <nccl.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/cuda/polling.hpp"
#include "comm/cuda/stream.hpp"

namespace galapagos::cuda {

inline constexpr int most_channels_to_a_peer = 16;

/// An NCCL communicator that never blocks: every call that NCCL has not finished is polled, with a
/// deadline, so that a lost rank ends in an Error here and not in a hang.
/// After an Error the communicator is aborted: what is under way on the device ends, and every
/// later call throws. Other ranks must then abort theirs (the end of the job sees to that).
class NcclCommunicator {
  public:
    /// Collective over `members`, each with its own current device. `patience` is how long any call
    /// may wait for other ranks.
    explicit NcclCommunicator(const Communicator& members,
                              Patience patience = std::chrono::minutes(2));
    /// Aborts, waiting for no one, unless `close` came first.
    ~NcclCommunicator() = default;
    NcclCommunicator(NcclCommunicator&&) noexcept = default;
    NcclCommunicator& operator=(NcclCommunicator&&) = delete;

    /// What is done before the communicator is aborted after an Error. Graphs with its work must be
    /// dropped there: an abort waits until they are gone, and wouldn't end.
    void before_abort(std::function<void()> let_go) { let_go_ = std::move(let_go); }

    int rank() const;
    int size() const;

    /// Collective. Ranks with equal colour form a group, ordered by (key, rank).
    NcclCommunicator split(int color, int key);

    /// Collective, over the group's processes (`members`) too: memory of this GPU, as much on every
    /// rank, for as long as the group lives. All throw where one rank has none left. Where the GPUs
    /// reach each other's memory and NCCL is 2.29.7 or later, its kernels work on it in place
    /// ("symmetric memory"), which takes less time than copies through NCCL's own buffers.
    std::byte* allocate(std::size_t bytes, const Communicator& members);

    /// Queues work: `call(ncclComm_t)` issues it and returns NCCL's code. The stream that it names
    /// may be used again when this returns. `what` says what failed, if it does.
    template <typename Call>
    void run(std::string_view what, Call&& call) {
        const ncclComm_t comm = open(what);
        settle(std::forward<Call>(call)(comm), what);
    }

    /// Wait until the stream is idle or the event reached, and look for failures of other ranks
    /// meanwhile.
    void wait(const Stream& stream, std::string_view what);
    void wait(const Event& event, std::string_view what);
    /// Throws if a rank or the network has failed since.
    void check_health();

    /// Collective: finishes what is queued and frees the group with its memory.
    void close();

  private:
    struct Abort {
        void operator()(ncclComm_t comm) const { ncclCommAbort(comm); }
    };
    NcclCommunicator(ncclComm_t owned, Patience patience) : comm_(owned), patience_(patience) {}

    ncclComm_t open(std::string_view what) const;
    /// Waits for the end of the call that gave `code`; aborts and throws unless it succeeded.
    void settle(ncclResult_t code, std::string_view what);
    struct Free {
        void operator()(std::byte* memory) const { ncclMemFree(memory); }
    };
    using Memory = std::unique_ptr<std::byte, Free>;
    static Memory memory_of(std::size_t bytes);
    void* symmetric_window(ncclComm_t comm, std::byte* memory, std::size_t bytes);
    template <typename Done>
    void wait_until(Done&& done, std::string_view what);
    void finish(ncclResult_t code, std::string_view what);

    /// Memory of the group, and NCCL's window to it, if it made one.
    struct Exchanged {
        Memory memory;
        void* window = nullptr;
    };
    std::vector<Exchanged> memory_;
    /// Goes before the memory that it works on.
    std::unique_ptr<ncclComm, Abort> comm_;
    Patience patience_;
    std::function<void()> let_go_ = [] {};
};

}  // namespace galapagos::cuda
