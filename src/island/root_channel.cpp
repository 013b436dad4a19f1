#include "island/root_channel.hpp"

#include <unistd.h>

namespace galapagos {

using nlohmann::json;

namespace {

enum Tag : int { tag_for_coordinator = 1, tag_for_root = 2, tag_packet = 3 };

std::string to_bytes(const json& message) {
    std::string bytes;
    json::to_cbor(message, bytes);
    return bytes;
}

}  // namespace

void RootChannel::to_coordinator(const json& message) {
    if (is_coordinator())
        own_for_coordinator_.push_back(message);
    else
        roots_.send(to_bytes(message), 0, tag_for_coordinator);
}

void RootChannel::to_all(const json& message) {
    own_for_root_.push_back(message);
    for (int island = 1; island < islands(); ++island)
        roots_.send(to_bytes(message), island, tag_for_root);
}

std::optional<json> RootChannel::next(int tag, std::deque<json>& own) {
    if (!own.empty()) {
        auto message = std::move(own.front());
        own.pop_front();
        return message;
    }
    if (auto received = roots_.try_receive(tag)) return json::from_cbor(received->second);
    return std::nullopt;
}

std::optional<json> RootChannel::next_for_coordinator() {
    return next(tag_for_coordinator, own_for_coordinator_);
}
std::optional<json> RootChannel::next_for_root() { return next(tag_for_root, own_for_root_); }

void RootChannel::send_packet(int island, const MigrantPacket& packet) {
    roots_.send(pack(packet), island, tag_packet);
}

std::optional<MigrantPacket> RootChannel::next_packet() {
    if (auto received = roots_.try_receive(tag_packet)) return unpack_packet(received->second);
    return std::nullopt;
}

void RootChannel::close() {
    // Packets may still be on their way to an island that no longer needs them: take them in, so
    // that every send completes.
    while (roots_.pending_sends() > 0) {
        next_packet();
        ::usleep(200);
    }
    roots_.barrier();
    while (next_packet()) {
    }
}

}  // namespace galapagos
