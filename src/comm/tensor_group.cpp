#include "comm/tensor_group.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "base/activity.hpp"

namespace galapagos {
namespace {

/// Bytes that one rank can post at a time; longer messages go in pieces.
constexpr std::size_t slot_bytes = std::size_t{1} << 20;
constexpr std::size_t header_bytes = 64;

void pause_briefly(int& spins) {
    if (++spins < 2000) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    } else {
        ::sched_yield();  // more ranks than cores: let the peer run
    }
}

}  // namespace

/// Posts this rank's bytes and reads every rank's. Two slots a rank: a rank that posts round n + 1
/// has read all of round n, so when everybody has posted round n + 1, the slots of round n are free
/// again.
struct TensorGroup::Transport {
    Communicator members;
    MPI_Win window = MPI_WIN_NULL;
    std::vector<std::byte*>
        segments;  // one a rank: header with the round posted last, then two slots
    std::vector<std::byte> gathered;  // without shared memory: what MPI_Allgather brought
    std::uint64_t round = 0;

    Transport() = default;
    explicit Transport(Communicator group) : members(std::move(group)) {
        if (members.size() == 1) return;
        const bool one_node = members.split_by_node().size() == members.size();
        const auto everyone = members.all_gather(one_node ? "1" : "0");
        if (std::find(everyone.begin(), everyone.end(), "0") != everyone.end()) return;
        allocate_window();
    }
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport() {
        int finalized = 0;
        MPI_Finalized(&finalized);
        if (window != MPI_WIN_NULL && !finalized) MPI_Win_free(&window);
    }

    void allocate_window() {
        void* mine = nullptr;
        check_mpi(MPI_Win_allocate_shared(header_bytes + 2 * slot_bytes, 1, MPI_INFO_NULL,
                                          members.handle(), &mine, &window),
                  "MPI_Win_allocate_shared");
        std::memset(mine, 0, header_bytes);
        for (int rank = 0; rank < members.size(); ++rank) {
            MPI_Aint bytes = 0;
            int unit = 0;
            void* base = nullptr;
            check_mpi(MPI_Win_shared_query(window, rank, &bytes, &unit, &base),
                      "MPI_Win_shared_query");
            segments.push_back(static_cast<std::byte*>(base));
        }
        members.barrier();
    }

    std::atomic_ref<std::uint64_t> posted(int rank) const {
        return std::atomic_ref(
            *reinterpret_cast<std::uint64_t*>(segments[static_cast<std::size_t>(rank)]));
    }
    std::byte* slot(int rank) const {
        return segments[static_cast<std::size_t>(rank)] + header_bytes + (round % 2) * slot_bytes;
    }

    /// Shares up to slot_bytes; afterwards part(r) is what rank r posted, until the next call.
    void exchange(std::span<const std::byte> mine) {
        const WaitingForOthers waiting;
        if (segments.empty()) {
            gathered.resize(mine.size() * static_cast<std::size_t>(members.size()));
            const auto count = static_cast<int>(mine.size());
            check_mpi(MPI_Allgather(mine.data(), count, MPI_BYTE, gathered.data(), count, MPI_BYTE,
                                    members.handle()),
                      "MPI_Allgather");
            return;
        }
        ++round;
        std::memcpy(slot(members.rank()), mine.data(), mine.size());
        posted(members.rank()).store(round, std::memory_order_release);
        for (int rank = 0; rank < members.size(); ++rank) {
            int spins = 0;
            while (posted(rank).load(std::memory_order_acquire) < round) pause_briefly(spins);
        }
    }
    const std::byte* part(int rank, std::size_t bytes) const {
        return segments.empty() ? gathered.data() + static_cast<std::size_t>(rank) * bytes
                                : slot(rank);
    }
};

TensorGroup::TensorGroup() : transport_(std::make_unique<Transport>()) {}
TensorGroup::TensorGroup(Communicator members)
    : transport_(std::make_unique<Transport>(std::move(members))) {}
TensorGroup::TensorGroup(TensorGroup&&) noexcept = default;
TensorGroup& TensorGroup::operator=(TensorGroup&&) noexcept = default;
TensorGroup::~TensorGroup() = default;

int TensorGroup::rank() const { return transport_->members.rank(); }
int TensorGroup::size() const { return transport_->members.size(); }
const Communicator& TensorGroup::communicator() const { return transport_->members; }

namespace {

template <class T, class Transport>
void sum_over_ranks(Transport& transport, std::span<T> values) {
    const int ranks = transport.members.size();
    constexpr std::size_t piece = slot_bytes / sizeof(T);
    for (std::size_t at = 0; at < values.size() && ranks > 1; at += piece) {
        const auto part = values.subspan(at, std::min(piece, values.size() - at));
        transport.exchange(std::as_bytes(part));
        std::memcpy(part.data(), transport.part(0, part.size_bytes()), part.size_bytes());
        for (int rank = 1; rank < ranks; ++rank) {
            const T* other = reinterpret_cast<const T*>(transport.part(rank, part.size_bytes()));
            for (std::size_t i = 0; i < part.size(); ++i) part[i] += other[i];
        }
    }
}

}  // namespace

void TensorGroup::all_reduce_sum(std::span<float> values) { sum_over_ranks(*transport_, values); }
void TensorGroup::all_reduce_sum(std::span<std::int64_t> values) {
    sum_over_ranks(*transport_, values);
}

void TensorGroup::all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    if (size() == 1) {
        std::memcpy(all.data(), mine.data(), mine.size());
        return;
    }
    for (std::size_t at = 0; at < mine.size(); at += slot_bytes) {
        const auto piece = mine.subspan(at, std::min(slot_bytes, mine.size() - at));
        transport_->exchange(piece);
        for (int rank = 0; rank < size(); ++rank)
            std::memcpy(all.data() + static_cast<std::size_t>(rank) * mine.size() + at,
                        transport_->part(rank, piece.size()), piece.size());
    }
}

void TensorGroup::broadcast(std::span<std::byte> bytes) {
    if (size() == 1) return;
    for (std::size_t at = 0; at < bytes.size(); at += slot_bytes) {
        const auto piece = bytes.subspan(at, std::min(slot_bytes, bytes.size() - at));
        // Only rank 0's part is read; the others post nothing of interest but keep the rounds in
        // step.
        transport_->exchange(piece);
        if (rank() != 0) std::memcpy(piece.data(), transport_->part(0, piece.size()), piece.size());
    }
}

}  // namespace galapagos
