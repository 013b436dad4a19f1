#include "comm/cuda/nccl_communicator.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "comm/cuda/errors.hpp"

namespace galapagos::cuda {
namespace {

/// What the communicator's last call has come to.
ncclResult_t state_of(ncclComm_t comm) {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t code = ncclCommGetAsyncError(comm, &state);
    return code == ncclSuccess ? state : code;
}

/// From this version on kernels that work in place on other GPUs' memory end with an abort. Earlier
/// ones wait for a lost rank for ever, and so would the abort, and all that frees memory.
constexpr int ends_in_place_kernels = NCCL_VERSION(2, 29, 7);

/// Read by NCCL's first call. Whoever sets the variables has decided otherwise.
void prepare_environment() {
    constexpr int keep = 0;
    int version = 0;
    check(ncclGetVersion(&version), "NCCL can't start");
    if (version < ends_in_place_kernels) ::setenv("NCCL_WIN_ENABLE", "0", keep);
    // Switches that add up (NVLink SHARP) do so in another order from call to call or from run to
    // run, and a run must repeat itself.
    ::setenv("NCCL_NVLS_ENABLE", "0", keep);
    // Each channel to each other GPU takes ten MiB once they send each other something, and between
    // eight H100s there would be 32 of them: 2 GiB. Half of them can still fill the links.
    ::setenv("NCCL_MAX_P2P_NCHANNELS", std::to_string(most_channels_to_a_peer).c_str(), keep);
}

/// The root's invitation; a root that can't make one says so to all.
struct Invitation {
    ncclResult_t code = ncclSuccess;
    ncclUniqueId id = {};
};

ncclUniqueId invite(const Communicator& members) {
    Invitation mine;
    if (members.is_root()) mine.code = ncclGetUniqueId(&mine.id);
    const Invitation agreed = members.broadcast_value(mine);
    check(agreed.code, "NCCL can't start");
    return agreed.id;
}

}  // namespace

NcclCommunicator::NcclCommunicator(const Communicator& members, Patience patience)
    : patience_(patience) {
    prepare_environment();
    const ncclUniqueId id = invite(members);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    ncclComm_t made = nullptr;
    const ncclResult_t code =
        ncclCommInitRankConfig(&made, members.size(), id, members.rank(), &config);
    comm_.reset(made);
    settle(code, "the GPUs of an evaluator can't be joined");
}

ncclComm_t NcclCommunicator::open(std::string_view what) const {
    if (!comm_) throw MachineError(what, "the group of GPUs was closed, or aborted after an error");
    return comm_.get();
}

int NcclCommunicator::rank() const {
    int rank = 0;
    check(ncclCommUserRank(open("a rank has no number"), &rank), "a rank has no number");
    return rank;
}

int NcclCommunicator::size() const {
    int size = 0;
    check(ncclCommCount(open("a group has no size"), &size), "a group has no size");
    return size;
}

void NcclCommunicator::settle(ncclResult_t code, std::string_view what) {
    const auto state = [comm = comm_.get()] { return state_of(comm); };
    finish(outcome(code, state, patience_), what);
}

void NcclCommunicator::finish(ncclResult_t code, std::string_view what) {
    if (code == ncclSuccess) return;
    try {
        if (code == ncclInProgress)
            throw PeerError(what,
                            fmt::format("other ranks did not answer for {} s",
                                        std::chrono::duration<double>(patience_).count()),
                            "the first error in the log is the cause; NCCL_DEBUG=INFO says more");
        check(code, what);
    } catch (...) {
        let_go_();
        comm_.reset();
        throw;
    }
}

NcclCommunicator NcclCommunicator::split(int color, int key) {
    constexpr std::string_view what = "a group of GPUs can't be split";
    // NCCL writes `part` when the split is done, and it is the whole group's state that tells. The
    // part takes over the group's configuration. If it fails, aborting the group ends NCCL's hold
    // on `part`.
    ncclComm_t part = nullptr;
    settle(ncclCommSplit(open(what), color, key, &part, nullptr), what);
    NcclCommunicator result(part, patience_);
    result.settle(ncclSuccess, what);
    return result;
}

std::byte* NcclCommunicator::allocate(std::size_t bytes, const Communicator& members) {
    const ncclComm_t comm = open("can't reserve memory for what GPUs exchange");
    Exchanged exchanged;
    // NCCL would wait for the window of a rank that has no memory for it.
    agree(members, [&] { exchanged.memory = memory_of(bytes); });
    memory_.push_back(std::move(exchanged));
    memory_.back().window = symmetric_window(comm, memory_.back().memory.get(), bytes);
    return memory_.back().memory.get();
}

auto NcclCommunicator::memory_of(std::size_t bytes) -> Memory {
    void* memory = nullptr;
    // NCCL has no code for memory that ran out, and there is nothing else that often fails here.
    if (const ncclResult_t code = ncclMemAlloc(&memory, bytes); code != ncclSuccess) {
        cudaGetLastError();  // or the next kernel's start would be taken for what failed
        throw Error(fmt::format("can't reserve {:.2f} GiB on the GPU for what GPUs exchange",
                                static_cast<double>(bytes) / 0x1p30),
                    fmt::format("NCCL: {}", ncclGetErrorString(code)),
                    "is that much free? galapagos plan says what fits; NCCL_DEBUG=WARN says more");
    }
    return Memory(static_cast<std::byte*>(memory));
}

/// Null where the GPUs can't reach each other's memory. NCCL_WIN_ENABLE=0 forbids it.
void* NcclCommunicator::symmetric_window([[maybe_unused]] ncclComm_t comm,
                                         [[maybe_unused]] std::byte* memory,
                                         [[maybe_unused]] std::size_t bytes) {
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 27, 0)
    ncclWindow_t window = nullptr;
    settle(ncclCommWindowRegister(comm, memory, bytes, &window, NCCL_WIN_COLL_SYMMETRIC),
           "GPUs can't share memory (NCCL_WIN_ENABLE=0 does without)");
    return window;
#else
    return nullptr;
#endif
}

template <typename Done>
void NcclCommunicator::wait_until(Done&& done, std::string_view what) {
    const ncclComm_t comm = open(what);
    finish(poll(
               [&] {
                   if (done()) return ncclSuccess;
                   const ncclResult_t state = state_of(comm);
                   return state == ncclSuccess ? ncclInProgress : state;
               },
               patience_),
           what);
}

void NcclCommunicator::wait(const Stream& stream, std::string_view what) {
    wait_until([&] { return stream.idle(); }, what);
}

void NcclCommunicator::wait(const Event& event, std::string_view what) {
    wait_until([&] { return event.reached(); }, what);
}

void NcclCommunicator::check_health() {
    constexpr std::string_view what = "a group of GPUs fell apart";
    open(what);
    settle(ncclSuccess, what);
}

void NcclCommunicator::close() {
    constexpr std::string_view what = "a group of GPUs can't be closed";
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 27, 0)
    for (Exchanged& exchanged : memory_)
        settle(ncclCommWindowDeregister(open(what), static_cast<ncclWindow_t>(exchanged.window)),
               what);
#endif
    settle(ncclCommFinalize(open(what)), what);
    check(ncclCommDestroy(comm_.release()), what);
    memory_.clear();
}

}  // namespace galapagos::cuda
