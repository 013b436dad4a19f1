// Migrants on their way between islands.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evolve/optimizer.hpp"
#include "island/settings.hpp"
#include "island/topology.hpp"

namespace galapagos {

/// What an island sends to each neighbour after a generation.
struct MigrantPacket {
    int source = 0;
    std::uint64_t generation = 0;  ///< the sender's, after whose tell it was sent
    bool last = false;            ///< the sender has ended: no packet of a later generation follows
    bool target_reached = false;  ///< the sender ends because it reached budget.target
    std::vector<Evaluated> migrants;
};

std::string pack(const MigrantPacket& packet);
MigrantPacket unpack_packet(const std::string& bytes);

/// The individuals that leave after `generation`. Depends on its arguments alone.
std::vector<Evaluated> choose_migrants(const MigrationSettings& settings,
                                       const Optimizer& optimizer, std::uint64_t seed, int island,
                                       std::uint64_t generation);

/// The entry of `island`; 0 where the list has none.
std::uint64_t first_generation_of(const std::vector<std::uint64_t>& first_generations, int island);

/// The immigrants of one island, held until the generation at which they are due. The same packet
/// may come twice (after a restart a neighbour sends its own again): the second is dropped.
class Mailbox {
  public:
    Mailbox() = default;
    /// `first_generations`: per island, see IslandSearchSettings.
    Mailbox(MigrationSettings settings, std::vector<int> sources,
            std::vector<std::uint64_t> first_generations = {});

    /// True when migrants leave after this generation.
    bool sends_after(std::uint64_t generation) const;
    void receive(MigrantPacket packet);
    /// True when everything due at `generation` is here: what the sources sent after generation -
    /// lag.
    bool complete_for(std::uint64_t generation) const;
    /// Removes and returns what is due at `generation`, by ascending source.
    std::vector<MigrantPacket> take(std::uint64_t generation);
    /// Asynchronous mode: removes and returns everything that is here.
    std::vector<MigrantPacket> take_all();

    /// What was taken in so far. What is waiting need not be kept: after a restart every island
    /// sends its packets again.
    nlohmann::json save() const;
    void load(const nlohmann::json& state);

  private:
    std::optional<std::uint64_t> sent_after(std::uint64_t generation) const;

    MigrationSettings settings_;
    std::vector<int> sources_;
    std::vector<std::uint64_t> first_generations_;
    std::map<std::pair<std::uint64_t, int>, MigrantPacket>
        waiting_;                         // by generation sent, then source
    std::map<int, std::uint64_t> ended_;  // source -> its last packet's generation
    std::map<int, std::uint64_t> taken_;  // source -> first generation not taken yet
};

}  // namespace galapagos
