#pragma once

#include <mpi.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace galapagos {

/// Initialises MPI for the life of the program and finalises it. MPI errors end in an Error with
/// the library's text.
class MpiSession {
  public:
    MpiSession(int& argc, char**& argv);
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;
    ~MpiSession();
};

/// Throws Error with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// What arrived with a message.
struct MessageInfo {
    int source;
    int tag;
};

/// A group of ranks: a value that shares its MPI communicator. The default value is the null group:
/// one rank, without MPI, so that libraries and tests run the same code with and without it.
class Communicator {
  public:
    Communicator() = default;
    /// A duplicate of MPI_COMM_WORLD, or the null group when MPI is not initialised.
    static Communicator world();

    int rank() const { return rank_; }
    int size() const { return size_; }
    bool is_root() const { return rank_ == 0; }
    /// MPI_COMM_NULL for the null group.
    MPI_Comm handle() const;

    /// Collective. Ranks with equal colour form a group, ordered by (key, rank).
    Communicator split(int color, int key) const;
    /// Collective. Ranks that share memory (one node) form a group.
    Communicator split_by_node() const;

    void barrier() const;
    void broadcast(std::span<std::byte> bytes, int root = 0) const;
    /// Text of any length; the root's value reaches every rank.
    std::string broadcast(std::string text, int root = 0) const;
    /// The texts of all ranks, in rank order, on every rank.
    std::vector<std::string> all_gather(const std::string& mine) const;

    template <class T>
    T broadcast_value(T value, int root = 0) const {
        static_assert(std::is_trivially_copyable_v<T>);
        broadcast(std::as_writable_bytes(std::span(&value, 1)), root);
        return value;
    }

    /// Sends without waiting for the receiver; the bytes are copied and kept until they have gone
    /// out.
    void send(std::string bytes, int destination, int tag) const;
    /// The next message with this tag from anyone, if one is there.
    std::optional<std::pair<MessageInfo, std::string>> try_receive(int tag) const;
    /// Waits for a message from `source`.
    std::string receive(int source, int tag) const;
    /// Frees what earlier sends no longer need; returns how many are still under way.
    std::size_t pending_sends() const;

    /// Ends the whole job on every rank.
    [[noreturn]] void abort(int status) const;

  private:
    struct Shared;
    explicit Communicator(MPI_Comm owned);
    void check_loop_back(int peer) const;

    std::shared_ptr<Shared> shared_;
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace galapagos
