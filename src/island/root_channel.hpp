// Messages between the roots of the islands. Island 0's root also coordinates: it knows when all
// have ended, chooses the winner, and passes on stop requests. Nothing here blocks.
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

#include "comm/communicator.hpp"
#include "island/migration.hpp"

namespace galapagos {

class RootChannel {
  public:
    /// `roots`: the island roots, in island order.
    explicit RootChannel(Communicator roots) : roots_(std::move(roots)) {}

    bool is_coordinator() const { return roots_.is_root(); }
    int islands() const { return roots_.size(); }
    int island() const { return roots_.rank(); }

    void to_coordinator(const nlohmann::json& message);
    /// From the coordinator to every root, itself included.
    void to_all(const nlohmann::json& message);
    std::optional<nlohmann::json> next_for_coordinator();
    std::optional<nlohmann::json> next_for_root();

    void send_packet(int island, const MigrantPacket& packet);
    std::optional<MigrantPacket> next_packet();

    /// Collective, at the end: every root has left its loop, and nothing more will be sent.
    void close();

  private:
    std::optional<nlohmann::json> next(int tag, std::deque<nlohmann::json>& own);

    Communicator roots_;
    std::deque<nlohmann::json> own_for_coordinator_, own_for_root_;
};

}  // namespace galapagos
