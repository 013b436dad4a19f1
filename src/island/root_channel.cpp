#include "island/root_channel.hpp"

#include <fmt/format.h>
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
        layout_.roots.send(to_bytes(message), 0, tag_for_coordinator);
}

void RootChannel::to_all(const json& message) {
    own_for_root_.push_back(message);
    for (int host = 1; host < layout_.hosts; ++host)
        layout_.roots.send(to_bytes(message), host, tag_for_root);
}

std::optional<json> RootChannel::next(int tag, std::deque<json>& own) {
    if (!own.empty()) {
        auto message = std::move(own.front());
        own.pop_front();
        return message;
    }
    if (auto received = layout_.roots.try_receive(tag)) return json::from_cbor(received->second);
    return std::nullopt;
}

std::optional<json> RootChannel::next_for_coordinator() {
    return next(tag_for_coordinator, own_for_coordinator_);
}
std::optional<json> RootChannel::next_for_root() { return next(tag_for_root, own_for_root_); }

void RootChannel::send_packet(int island, const MigrantPacket& packet) {
    const int host = layout_.host_of(island);
    if (host == layout_.host)
        own_packets_.push_back({island, packet});
    else
        layout_.roots.send(fmt::format("{}:{}", island, pack(packet)), host, tag_packet);
}

std::optional<RootChannel::Delivery> RootChannel::next_packet() {
    if (!own_packets_.empty()) {
        auto delivery = std::move(own_packets_.front());
        own_packets_.pop_front();
        return delivery;
    }
    const auto received = layout_.roots.try_receive(tag_packet);
    if (!received) return std::nullopt;
    const auto& bytes = received->second;
    return Delivery{std::stoi(bytes), unpack_packet(bytes.substr(bytes.find(':') + 1))};
}

void RootChannel::close() {
    // Packets may still be on their way to an island that no longer needs them: take them in, so
    // that every send completes.
    while (layout_.roots.pending_sends() > 0) {
        next_packet();
        ::usleep(200);
    }
    layout_.roots.barrier();
    while (next_packet()) {
    }
}

}  // namespace galapagos
