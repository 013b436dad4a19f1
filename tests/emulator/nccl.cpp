// The part of NCCL that the program uses, between processes of one machine. Calls return at once,
// as those of a communicator that doesn't block, and are done when the ranks have met, or when NCCL
// was asked for a while; until then no other is taken.
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "emulator/cuda_device.hpp"
#include "emulator/device_memory.hpp"
#include "emulator/fault.hpp"
#include "emulator/rank_group.hpp"

using namespace galapagos::emulator;

struct ncclComm {
    std::shared_ptr<RankGroup> group;
    std::function<bool()> under_way = {};  ///< a call that isn't done; may be empty
    std::map<const std::byte*, std::size_t> windows = {};
    std::shared_ptr<bool> aborted = std::make_shared<bool>(false);
    /// Collectives in windows that are queued and not done.
    std::shared_ptr<int> in_place = std::make_shared<int>(0);
};

namespace {

std::size_t size_of(ncclDataType_t type) {
    return type == ncclFloat ? sizeof(float) : sizeof(std::uint16_t);
}

/// Whether NCCL would work in place there.
bool in_window(ncclComm_t comm, const void* memory) {
    const char* const enabled = std::getenv("NCCL_WIN_ENABLE");
    if (enabled != nullptr && std::string(enabled) == "0") return false;
    const auto* const at = static_cast<const std::byte*>(memory);
    const auto after = comm->windows.upper_bound(at);
    return after != comm->windows.begin() &&
           at < std::prev(after)->first + std::prev(after)->second;
}

/// What ranks must agree on in a collective.
struct Call {
    char name[8] = {};
    std::size_t bytes = 0;  ///< of a rank

    bool operator==(const Call&) const = default;
};

/// Takes the calls, which must be one, off what ranks gave.
std::vector<std::byte> without_calls(const std::vector<std::byte>& given, const Call& call) {
    std::vector<std::byte> rest;
    for (std::size_t at = 0; at < given.size(); at += sizeof call + call.bytes) {
        Call theirs;
        std::memcpy(&theirs, &given[at], sizeof theirs);
        if (theirs != call) throw Fault("ranks call different collectives of NCCL");
        const auto begin = given.begin() + static_cast<std::ptrdiff_t>(at + sizeof call);
        rest.insert(rest.end(), begin, begin + static_cast<std::ptrdiff_t>(call.bytes));
    }
    return rest;
}

/// Gathers on the stream: `mine`, of the device, of which `take` gets those of all ranks.
void queue_exchange(ncclComm_t comm, Call call, const void* mine, bool in_place,
                    cudaStream_t stream, std::function<void(const std::vector<std::byte>&)> take) {
    RankGroup::Exchange exchange(*comm->group, Channel::stream);
    const std::shared_ptr<int> waiting = in_place ? comm->in_place : std::make_shared<int>(0);
    // The group outlives the communicator as long as work needs it.
    const auto work = [group = comm->group, aborted = comm->aborted, waiting, begun = false,
                       exchange, call, mine, take = std::move(take)]() mutable {
        if (*aborted) return true;
        if (!std::exchange(begun, true)) ++*waiting;
        std::vector<std::byte> given(sizeof call + call.bytes);
        std::memcpy(given.data(), &call, sizeof call);
        std::memcpy(given.data() + sizeof call,
                    device_bytes(mine, call.bytes, "what a rank gives to others"), call.bytes);
        std::vector<std::byte> all(given.size() * static_cast<std::size_t>(group->size()));
        if (!exchange.try_once(given, all.data())) return false;
        take(without_calls(all, call));
        --*waiting;
        begun = false;
        return true;
    };
    stream_of(stream).queue_task({work, comm});
    // Done when NCCL is asked a second time.
    comm->under_way = [asked = 0]() mutable { return asked++ > 0; };
}

[[noreturn]] void refuse_to_hang(const char* why) {
    std::fprintf(stderr, "NCCL would wait for ever: %s\n", why);
    std::abort();
}
/// NCCL waits in these calls until no graph holds work of the communicator.
void refuse_graphs(ncclComm_t comm) {
    if (is_recorded(comm)) refuse_to_hang("graphs hold work of a communicator that ends");
}

/// Sends and receives of one group call, which must be an exchange of slices: as many bytes from
/// every rank to every rank.
struct Slices {
    bool open = false;
    ncclComm_t comm = nullptr;
    cudaStream_t stream = nullptr;
    std::size_t bytes = 0;
    std::vector<const void*> sent;
    std::vector<void*> received;
    ncclResult_t code = ncclSuccess;
};
Slices slices;

/// Notes one more, if it is the next one's.
template <typename Address>
ncclResult_t add_slice(std::vector<Address>& all, Address address, std::size_t count,
                       ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream) {
    const bool first = slices.sent.empty() && slices.received.empty();
    if (first) {
        slices.comm = comm;
        slices.stream = stream;
        slices.bytes = count * size_of(type);
    }
    const bool fits = slices.open && comm == slices.comm && stream == slices.stream &&
                      peer == static_cast<int>(all.size()) && count * size_of(type) == slices.bytes;
    all.push_back(address);
    return fits ? ncclSuccess : slices.code = ncclInvalidArgument;
}

/// What a rank says in a split.
struct Wish {
    int color = 0, key = 0;
};

/// The ranks of a colour, by their keys; sets *made when all have said what they want.
class Split {
  public:
    Split(std::shared_ptr<RankGroup> group, Wish wish, ncclComm_t* made)
        : group_(std::move(group)), exchange_(*group_, Channel::host), wish_(wish), made_(made) {}

    bool operator()() {
        std::vector<Wish> wishes(static_cast<std::size_t>(group_->size()));
        if (!exchange_.try_once(std::as_bytes(std::span(&wish_, 1)),
                                reinterpret_cast<std::byte*>(wishes.data())))
            return false;
        const std::string name = group_->part_name(wish_.color);
        if (wish_.color == NCCL_SPLIT_NOCOLOR) return true;
        std::vector<std::pair<int, int>> members;
        for (int rank = 0; rank < group_->size(); ++rank)
            if (const Wish& wish = wishes[static_cast<std::size_t>(rank)];
                wish.color == wish_.color)
                members.emplace_back(wish.key, rank);
        std::sort(members.begin(), members.end());
        const auto me =
            std::find(members.begin(), members.end(), std::pair(wish_.key, group_->rank()));
        const auto part = std::make_shared<RankGroup>(name, static_cast<int>(members.size()),
                                                      static_cast<int>(me - members.begin()));
        *made_ = new ncclComm{part, [part] { return part->complete(); }};
        return true;
    }

  private:
    std::shared_ptr<RankGroup> group_;
    RankGroup::Exchange exchange_;
    Wish wish_;
    ncclComm_t* made_;
};

ncclResult_t state_of(ncclComm_t comm) {
    if (comm->under_way && comm->under_way()) comm->under_way = nullptr;
    return comm->under_way ? ncclInProgress : ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
    std::snprintf(id->internal, sizeof id->internal, "/galapagos-nccl-%d-%u",
                  static_cast<int>(getpid()), std::random_device()());
    return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
    if (config == nullptr || config->blocking != 0) return ncclInvalidUsage;
    const auto group = std::make_shared<RankGroup>(id.internal, size, rank);
    *comm = new ncclComm{group, [group] { return group->complete(); }};
    return state_of(*comm);
}
ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t* made, ncclConfig_t*) {
    if (comm->under_way) return ncclInvalidUsage;
    comm->under_way = Split(comm->group, {color, key}, made);
    return ncclInProgress;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
    *state = state_of(comm);
    return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    refuse_graphs(comm);
    comm->under_way =
        [exchange = RankGroup::Exchange(*comm->group, Channel::host),
         all = std::vector<std::byte>(static_cast<std::size_t>(comm->group->size()))]() mutable {
            const std::byte mine{};
            return exchange.try_once({&mine, 1}, all.data());
        };
    return state_of(comm);
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    delete comm;
    return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
    refuse_graphs(comm);
    // Kernels in windows don't look whether they are aborted (up to 2.29.3).
    if (*comm->in_place > 0) refuse_to_hang("a kernel in a window needs a rank that doesn't come");
    *comm->aborted = true;
    return ncclCommDestroy(comm);
}
ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
    *rank = comm->group->rank();
    return ncclSuccess;
}
ncclResult_t ncclCommCount(const ncclComm_t comm, int* size) {
    *size = comm->group->size();
    return ncclSuccess;
}

ncclResult_t ncclAllGather(const void* mine, void* all, std::size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream) {
    const std::size_t bytes_of_one = count * size_of(type);
    if ((type != ncclFloat && type != ncclBfloat16) || bytes_of_one > RankGroup::most_bytes)
        return ncclInvalidArgument;
    if (comm->under_way) return ncclInvalidUsage;
    const bool in_place = in_window(comm, mine) && in_window(comm, all);
    queue_exchange(comm, {"gather", bytes_of_one}, mine, in_place, stream,
                   [all](const std::vector<std::byte>& bytes) {
                       std::memcpy(device_bytes(all, bytes.size(), "what all ranks give"),
                                   bytes.data(), bytes.size());
                   });
    return ncclInProgress;
}
ncclResult_t ncclAllReduce(const void* mine, void* sum, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
    if (type != ncclFloat || operation != ncclSum || count * sizeof(float) > RankGroup::most_bytes)
        return ncclInvalidArgument;
    if (comm->under_way) return ncclInvalidUsage;
    const bool in_place = in_window(comm, mine) && in_window(comm, sum);
    queue_exchange(comm, {"sum", count * sizeof(float)}, mine, in_place, stream,
                   [sum, count](const std::vector<std::byte>& bytes) {
                       std::vector<float> values(bytes.size() / sizeof(float));
                       std::memcpy(values.data(), bytes.data(), bytes.size());
                       for (std::size_t i = count; i < values.size(); ++i)
                           values[i % count] += values[i];
                       std::memcpy(device_bytes(sum, count * sizeof(float), "a sum over ranks"),
                                   values.data(), count * sizeof(float));
                   });
    return ncclInProgress;
}

ncclResult_t ncclGroupStart() {
    if (slices.open) return ncclInvalidUsage;
    slices = {};
    slices.open = true;
    return ncclSuccess;
}
ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t type, int peer,
                      ncclComm_t comm, cudaStream_t stream) {
    return add_slice(slices.sent, from, count, type, peer, comm, stream);
}
ncclResult_t ncclRecv(void* to, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
    return add_slice(slices.received, to, count, type, peer, comm, stream);
}
/// Slices must lie one after the other.
ncclResult_t ncclGroupEnd() {
    const Slices all = std::exchange(slices, {});
    if (!all.open || all.code != ncclSuccess) return ncclInvalidUsage;
    const auto ranks = static_cast<std::size_t>(all.comm->group->size());
    const std::size_t bytes = ranks * all.bytes;
    if (all.sent.size() != ranks || all.received.size() != ranks || bytes > RankGroup::most_bytes)
        return ncclInvalidArgument;
    for (std::size_t rank = 0; rank < ranks; ++rank)
        if (static_cast<const std::byte*>(all.sent[rank]) !=
                static_cast<const std::byte*>(all.sent[0]) + rank * all.bytes ||
            static_cast<std::byte*>(all.received[rank]) !=
                static_cast<std::byte*>(all.received[0]) + rank * all.bytes)
            return ncclInvalidArgument;
    const auto me = static_cast<std::size_t>(all.comm->group->rank());
    if (all.comm->under_way) return ncclInvalidUsage;
    queue_exchange(all.comm, {"slices", bytes}, all.sent[0], false, all.stream,
                   [all, ranks, bytes, me](const std::vector<std::byte>& given) {
                       std::byte* to = device_bytes(all.received[0], bytes, "slices of all ranks");
                       for (std::size_t rank = 0; rank < ranks; ++rank)
                           std::memcpy(to + rank * all.bytes, &given[rank * bytes + me * all.bytes],
                                       all.bytes);
                   });
    return ncclInProgress;
}

ncclResult_t ncclMemAlloc(void** memory, std::size_t bytes) {
    return cudaMalloc(memory, bytes) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
ncclResult_t ncclMemFree(void* memory) {
    return cudaFree(memory) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}
/// All ranks must register as many bytes, of memory of their own.
ncclResult_t ncclCommWindowRegister(ncclComm_t comm, void* memory, std::size_t bytes,
                                    ncclWindow_t* window, int flags) {
    if (comm->under_way || flags != NCCL_WIN_COLL_SYMMETRIC) return ncclInvalidUsage;
    device_bytes(memory, bytes, "a window");
    comm->under_way = [comm, memory, bytes, window,
                       exchange = RankGroup::Exchange(*comm->group, Channel::host)]() mutable {
        std::vector<std::size_t> all(static_cast<std::size_t>(comm->group->size()));
        if (!exchange.try_once(std::as_bytes(std::span(&bytes, 1)),
                               reinterpret_cast<std::byte*>(all.data())))
            return false;
        if (std::any_of(all.begin(), all.end(), [&](std::size_t of) { return of != bytes; }))
            throw std::runtime_error("the emulated NCCL has windows of different sizes");
        comm->windows.emplace(static_cast<std::byte*>(memory), bytes);
        *window = static_cast<ncclWindow_t>(memory);
        return true;
    };
    return ncclInProgress;
}
ncclResult_t ncclCommWindowDeregister(ncclComm_t comm, ncclWindow_t window) {
    const auto* const memory = reinterpret_cast<const std::byte*>(window);
    return comm->windows.erase(memory) == 1 ? ncclSuccess : ncclInvalidUsage;
}

const char* ncclGetErrorString(ncclResult_t code) {
    return code == ncclInvalidUsage ? "invalid usage" : "the emulated NCCL says no";
}
const char* ncclGetLastError(ncclComm_t) { return ""; }
