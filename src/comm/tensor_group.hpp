#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "comm/communicator.hpp"

namespace galapagos {

/// The collectives of a tensor-parallel group. Inside a node they go through a shared-memory
/// window, which is several times faster than MPI_Allreduce on small messages; across nodes through
/// MPI. Sums are made in rank order in fp32 on every rank, so all ranks hold the same bits whatever
/// the transport.
class TensorGroup {
  public:
    /// The group of one rank.
    TensorGroup();
    /// Collective over `members`.
    explicit TensorGroup(Communicator members);
    TensorGroup(TensorGroup&&) noexcept;
    TensorGroup& operator=(TensorGroup&&) noexcept;
    ~TensorGroup();

    int rank() const;
    int size() const;
    const Communicator& communicator() const;

    /// Replaces values by the sum over all ranks, added in rank order.
    void all_reduce_sum(std::span<float> values);
    /// Integer sums are exact in any order.
    void all_reduce_sum(std::span<std::int64_t> values);
    /// `all` receives every rank's `mine`, in rank order; all.size() == size() * mine.size().
    void all_gather(std::span<const std::byte> mine, std::span<std::byte> all);
    /// Rank 0's bytes reach every rank.
    void broadcast(std::span<std::byte> bytes);

    template <class T>
    std::vector<T> all_gather_values(const T& mine) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::vector<T> all(static_cast<std::size_t>(size()));
        all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
        return all;
    }

  private:
    struct Transport;
    std::unique_ptr<Transport> transport_;
};

}  // namespace galapagos
