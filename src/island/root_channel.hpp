// Messages between the roots of the hosts. Host 0's root also coordinates: it knows when all
// islands have ended, chooses the winner, and passes on stop requests. Nothing here blocks.
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "island/migration.hpp"
#include "island/process_layout.hpp"

namespace galapagos {

class RootChannel {
  public:
    explicit RootChannel(const ProcessLayout& layout) : layout_(layout) {}

    bool is_coordinator() const { return layout_.roots.is_root(); }

    void to_coordinator(const nlohmann::json& message);
    /// From the coordinator to every root, itself included.
    void to_all(const nlohmann::json& message);
    std::optional<nlohmann::json> next_for_coordinator();
    std::optional<nlohmann::json> next_for_root();

    /// To an island, on whatever host it is, this one included.
    void send_packet(int island, const MigrantPacket& packet);
    struct Delivery {
        int island;  ///< the receiver, on this host
        MigrantPacket packet;
    };
    std::optional<Delivery> next_packet();

    /// Collective, at the end: every root has left its loop, and nothing more will be sent.
    void close();

  private:
    std::optional<nlohmann::json> next(int tag, std::deque<nlohmann::json>& own);

    const ProcessLayout& layout_;
    std::deque<nlohmann::json> own_for_coordinator_, own_for_root_;
    std::deque<Delivery> own_packets_;
};

}  // namespace galapagos
