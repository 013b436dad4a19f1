// The islands of a host, at the start of an attempt: new, resumed, or joining a run that goes on.
#include <fmt/format.h>

#include <algorithm>

#include "app/evolution.hpp"
#include "app/run_files.hpp"
#include "app/text_log.hpp"
#include "history/history_reader.hpp"
#include "island/resume.hpp"
#include "island/topology.hpp"

namespace galapagos {
namespace {

/// The best distinct genomes of the whole run so far, best first; ties go to the lower id.
std::vector<Evaluated> elites_of_run(const RunLayout& run, std::size_t count) {
    std::vector<Evaluated> elites;
    for (const auto& island : read_run(run.root).islands)
        for (const auto& candidate : island.candidates)
            if (candidate.status == CandidateStatus::evaluated)
                elites.push_back({candidate.id, candidate.genome, candidate.fitness});
    std::sort(elites.begin(), elites.end(), [](const Evaluated& a, const Evaluated& b) {
        return a.fitness != b.fitness ? a.fitness > b.fitness : a.id < b.id;
    });
    std::vector<Evaluated> distinct;
    for (auto& elite : elites) {
        if (distinct.size() == count) break;
        const bool seen =
            std::any_of(distinct.begin(), distinct.end(),
                        [&](const Evaluated& other) { return other.genome == elite.genome; });
        if (!seen) distinct.push_back(std::move(elite));
    }
    return distinct;
}

IslandSearchSettings search_settings(const Evolution& evolution, const Topology& topology,
                                     int island) {
    const auto& config = evolution.config;
    const auto index = static_cast<std::size_t>(island);
    IslandSearchSettings settings;
    settings.island = island;
    settings.islands = evolution.layout.islands;
    settings.seed = static_cast<std::uint64_t>(config.seed);
    settings.tasks = evolution.tasks.size();
    settings.mode = config.islands.mode;
    settings.window = config.islands.window;
    settings.migration = config.migration;
    settings.budget = config.budget;
    settings.targets = topology.targets[index];
    settings.sources = topology.sources[index];
    settings.first_generations = evolution.first_generations;
    return settings;
}

/// Brings a new search to where its island stands. Returns what a person should know.
std::vector<std::string> take_up(const Evolution& evolution, const CheckpointStore& checkpoints,
                                 IslandSearch& search) {
    const auto island = static_cast<std::uint32_t>(search.settings().island);
    auto notes = resume_island(evolution.run, island, checkpoints, search);
    if (search.first_generation() > 0 && checkpoints.generations().empty()) {
        const auto elites =
            elites_of_run(evolution.run, std::max<std::size_t>(1, search.population() / 2));
        search.seed(elites);
        notes.push_back(fmt::format("joins the run at generation {}, with {} elites of the others",
                                    search.first_generation(), elites.size()));
    }
    return notes;
}

IslandParts make_island(const Evolution& evolution, const Topology& topology, int number,
                        std::unique_ptr<Optimizer> optimizer) {
    const auto island = static_cast<std::uint32_t>(number);
    const auto config_hash = run_config(evolution.config).hash();
    const auto schema = make_schema(evolution.space->genes(), evolution.tasks, *optimizer);
    std::vector<std::pair<std::string, std::string>> attributes{{"optimizer", optimizer->name()}};
    IslandSearch search(search_settings(evolution, topology, number), std::move(optimizer));
    if (search.first_generation() > 0)
        attributes.emplace_back(first_generation_key, std::to_string(search.first_generation()));
    CheckpointStore checkpoints(evolution.run.checkpoints(), island, config_hash);
    const auto log = std::make_shared<TextLog>(evolution.run.log(island));
    for (const auto& note : take_up(evolution, checkpoints, search)) log->line(note);
    HistoryWriter history(evolution.run.part(island, evolution.attempt),
                          {evolution.uuid, config_hash, island, evolution.attempt, attributes},
                          schema);
    return {std::move(search), std::move(history), std::move(checkpoints),
            [log](const std::string& text) { log->line(text); }};
}

}  // namespace

std::vector<IslandParts> make_islands(Evolution& evolution) {
    const auto topology = make_topology(evolution.config.migration, evolution.layout.islands,
                                        static_cast<std::uint64_t>(evolution.config.seed));
    std::vector<IslandParts> islands;
    auto optimizer = evolution.optimizers.begin();
    for (const int number : evolution.layout.islands_here())
        islands.push_back(make_island(evolution, topology, number, std::move(*optimizer++)));
    return islands;
}

}  // namespace galapagos
