#include "comm/communicator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <list>

#include "base/error.hpp"

namespace galapagos {

void check_mpi(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw Error(fmt::format("{} failed", call),
                std::string_view(text, static_cast<std::size_t>(length)));
}

MpiSession::MpiSession(int& argc, char**& argv) {
    int provided = 0;
    // Only the main thread calls MPI (worker threads compute).
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        throw Error("MPI could not start", "MPI_Init_thread failed",
                    "check the launcher: mpirun or srun --mpi=pmix");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

MpiSession::~MpiSession() { MPI_Finalize(); }

/// A message that is on its way: MPI needs the bytes to stay where they are.
struct OutgoingMessage {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
};

struct Communicator::Shared {
    explicit Shared(MPI_Comm owned) : comm(owned) {}
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() {
        int finalized = 0;
        MPI_Finalized(&finalized);
        if (finalized) return;
        for (auto& message : outgoing) MPI_Request_free(&message.request);
        if (!outgoing.empty()) {
            // The bytes must outlive the transfer, which nobody will wait for any more.
            static std::list<std::list<OutgoingMessage>> abandoned;
            abandoned.push_back(std::move(outgoing));
        }
        MPI_Comm_free(&comm);
    }
    MPI_Comm comm;
    std::list<OutgoingMessage> outgoing;
};

Communicator::Communicator(MPI_Comm owned) : shared_(std::make_shared<Shared>(owned)) {
    check_mpi(MPI_Comm_set_errhandler(owned, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check_mpi(MPI_Comm_rank(owned, &rank_), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(owned, &size_), "MPI_Comm_size");
}

Communicator Communicator::world() {
    int initialized = 0;
    MPI_Initialized(&initialized);
    if (!initialized) return {};
    MPI_Comm duplicate = MPI_COMM_NULL;
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &duplicate), "MPI_Comm_dup");
    return Communicator(duplicate);
}

MPI_Comm Communicator::handle() const { return shared_ ? shared_->comm : MPI_COMM_NULL; }

Communicator Communicator::split(int color, int key) const {
    if (!shared_) return {};
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split(shared_->comm, color, key, &part), "MPI_Comm_split");
    return Communicator(part);
}

Communicator Communicator::split_by_node() const {
    if (!shared_) return {};
    MPI_Comm part = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(shared_->comm, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &part),
              "MPI_Comm_split_type");
    return Communicator(part);
}

void Communicator::barrier() const {
    if (shared_) check_mpi(MPI_Barrier(shared_->comm), "MPI_Barrier");
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) const {
    if (!shared_) return;
    constexpr std::size_t piece = std::size_t{1} << 30;  // MPI counts are ints
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto count = static_cast<int>(std::min(piece, bytes.size() - at));
        check_mpi(MPI_Bcast(bytes.data() + at, count, MPI_BYTE, root, shared_->comm), "MPI_Bcast");
    }
}

std::string Communicator::broadcast(std::string text, int root) const {
    text.resize(broadcast_value(text.size(), root));
    broadcast(std::as_writable_bytes(std::span(text)), root);
    return text;
}

std::vector<std::string> Communicator::all_gather(const std::string& mine) const {
    std::vector<std::string> texts;
    for (int rank = 0; rank < size_; ++rank)
        texts.push_back(broadcast(rank == rank_ ? mine : std::string(), rank));
    return texts;
}

void Communicator::check_loop_back(int peer) const {
    if (!shared_)
        throw Error("a message in the null group", fmt::format("there is no rank {}", peer));
}

void Communicator::send(std::string bytes, int destination, int tag) const {
    check_loop_back(destination);
    pending_sends();
    auto& message = shared_->outgoing.emplace_back();
    message.bytes = std::move(bytes);
    check_mpi(MPI_Isend(message.bytes.data(), static_cast<int>(message.bytes.size()), MPI_BYTE,
                        destination, tag, shared_->comm, &message.request),
              "MPI_Isend");
}

std::size_t Communicator::pending_sends() const {
    if (!shared_) return 0;
    std::erase_if(shared_->outgoing, [](OutgoingMessage& message) {
        int done = 0;
        check_mpi(MPI_Test(&message.request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        return done != 0;
    });
    return shared_->outgoing.size();
}

namespace {

std::string receive_probed(MPI_Message& message, MPI_Status& status) {
    int count = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
    std::string bytes(static_cast<std::size_t>(count), '\0');
    check_mpi(MPI_Mrecv(bytes.data(), count, MPI_BYTE, &message, &status), "MPI_Mrecv");
    return bytes;
}

}  // namespace

std::optional<std::pair<MessageInfo, std::string>> Communicator::try_receive(int tag) const {
    if (!shared_) return std::nullopt;
    int there = 0;
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    check_mpi(MPI_Improbe(MPI_ANY_SOURCE, tag, shared_->comm, &there, &message, &status),
              "MPI_Improbe");
    if (!there) return std::nullopt;
    const MessageInfo info{status.MPI_SOURCE, status.MPI_TAG};
    return std::pair(info, receive_probed(message, status));
}

std::string Communicator::receive(int source, int tag) const {
    check_loop_back(source);
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status status;
    check_mpi(MPI_Mprobe(source, tag, shared_->comm, &message, &status), "MPI_Mprobe");
    return receive_probed(message, status);
}

void Communicator::abort(int status) const {
    int initialized = 0;
    MPI_Initialized(&initialized);
    if (initialized) MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
}

}  // namespace galapagos
