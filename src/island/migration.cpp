#include "island/migration.hpp"

#include <algorithm>

#include "base/random.hpp"

namespace galapagos {

using nlohmann::json;

namespace {

json to_json(const MigrantPacket& packet) {
    json migrants = json::array();
    for (const auto& m : packet.migrants)
        migrants.push_back({{"id", m.id}, {"genome", m.genome}, {"fitness", m.fitness}});
    return {{"source", packet.source},
            {"generation", packet.generation},
            {"last", packet.last},
            {"target_reached", packet.target_reached},
            {"migrants", migrants}};
}

MigrantPacket packet_from_json(const json& j) {
    MigrantPacket packet;
    packet.source = j.at("source").get<int>();
    packet.generation = j.at("generation").get<std::uint64_t>();
    packet.last = j.at("last").get<bool>();
    packet.target_reached = j.at("target_reached").get<bool>();
    for (const auto& m : j.at("migrants"))
        packet.migrants.push_back({m.at("id").get<std::uint64_t>(), m.at("genome").get<Genome>(),
                                   m.at("fitness").get<double>()});
    return packet;
}

}  // namespace

std::string pack(const MigrantPacket& packet) {
    std::string bytes;
    json::to_cbor(to_json(packet), bytes);
    return bytes;
}

MigrantPacket unpack_packet(const std::string& bytes) {
    return packet_from_json(json::from_cbor(bytes));
}

std::vector<Evaluated> choose_migrants(const MigrationSettings& settings,
                                       const Optimizer& optimizer, std::uint64_t seed, int island,
                                       std::uint64_t generation) {
    const auto wanted = static_cast<std::size_t>(settings.elites);
    if (settings.selection == MigrantSelection::best) return optimizer.elites(wanted);
    auto pool = optimizer.elites(optimizer.population_size());
    RandomStream random(seed, static_cast<std::uint32_t>(island), Purpose::migration, generation);
    std::vector<Evaluated> chosen;
    while (chosen.size() < wanted && !pool.empty()) {
        std::size_t pick = random.below(pool.size());
        // The pool is sorted, best first: of two draws the smaller index wins.
        if (settings.selection == MigrantSelection::tournament)
            pick = std::min<std::size_t>(pick, random.below(pool.size()));
        chosen.push_back(pool[pick]);
        pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    return chosen;
}

std::uint64_t first_generation_of(const std::vector<std::uint64_t>& first_generations, int island) {
    const auto index = static_cast<std::size_t>(island);
    return index < first_generations.size() ? first_generations[index] : 0;
}

Mailbox::Mailbox(MigrationSettings settings, std::vector<int> sources,
                 std::vector<std::uint64_t> first_generations)
    : settings_(settings),
      sources_(std::move(sources)),
      first_generations_(std::move(first_generations)) {}

bool Mailbox::sends_after(std::uint64_t generation) const {
    return (generation + 1) % static_cast<std::uint64_t>(settings_.interval) == 0;
}

std::optional<std::uint64_t> Mailbox::sent_after(std::uint64_t generation) const {
    const auto lag = static_cast<std::uint64_t>(settings_.lag);
    if (generation < lag || !sends_after(generation - lag)) return std::nullopt;
    return generation - lag;
}

void Mailbox::receive(MigrantPacket packet) {
    const int source = packet.source;
    if (packet.last) ended_[source] = packet.generation;
    const auto taken = taken_.find(source);
    if (taken != taken_.end() && packet.generation < taken->second) return;
    waiting_.insert_or_assign({packet.generation, source}, std::move(packet));
}

bool Mailbox::complete_for(std::uint64_t generation) const {
    const auto sent = sent_after(generation);
    if (!sent) return true;
    return std::all_of(sources_.begin(), sources_.end(), [&](int source) {
        // A source that joined the run later has sent nothing of earlier generations.
        if (first_generation_of(first_generations_, source) > *sent) return true;
        const auto end = ended_.find(source);
        return waiting_.contains({*sent, source}) || (end != ended_.end() && end->second < *sent);
    });
}

std::vector<MigrantPacket> Mailbox::take(std::uint64_t generation) {
    std::vector<MigrantPacket> due;
    const auto sent = sent_after(generation);
    if (!sent) return due;
    for (const int source : sources_) {
        // A closing packet of an earlier generation that was never due is taken with the next that
        // is.
        for (auto it = waiting_.begin(); it != waiting_.end() && it->first.first <= *sent;) {
            if (it->first.second == source) {
                due.push_back(std::move(it->second));
                it = waiting_.erase(it);
            } else {
                ++it;
            }
        }
        taken_[source] = *sent + 1;
    }
    return due;
}

std::vector<MigrantPacket> Mailbox::take_all() {
    std::vector<MigrantPacket> all;
    for (auto& [key, packet] : waiting_) {
        taken_[key.second] = std::max(taken_[key.second], key.first + 1);
        all.push_back(std::move(packet));
    }
    waiting_.clear();
    return all;
}

json Mailbox::save() const {
    json taken = json::array();
    for (const auto& [source, generation] : taken_) taken.push_back({source, generation});
    return taken;
}

void Mailbox::load(const json& state) {
    waiting_.clear();
    ended_.clear();
    taken_.clear();
    for (const auto& entry : state)
        taken_[entry.at(0).get<int>()] = entry.at(1).get<std::uint64_t>();
}

}  // namespace galapagos
