#include "island/settings.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace galapagos {
namespace {

YAML::Node write_overrides(const std::vector<IslandOverride>& overrides) {
    YAML::Node list(YAML::NodeType::Sequence);
    for (const auto& item : overrides) {
        YAML::Node entry;
        entry["islands"] = item.islands;
        auto optimizer = item.optimizer;
        entry["optimizer"] =
            write_options([&](OptionVisitor& visitor) { visit_options(visitor, optimizer); });
        list.push_back(entry);
    }
    return overrides.empty() ? YAML::Node() : list;
}

std::vector<IslandOverride> read_overrides(const YamlReader& list,
                                           const OptimizerSettings& common) {
    std::vector<IslandOverride> overrides;
    for (const auto& element : list.elements()) {
        element.allow_only({"islands", "optimizer"});
        auto& item = overrides.emplace_back();
        for (const auto& island : element.at("islands").elements())
            item.islands.push_back(static_cast<int>(island.as_int()));
        item.optimizer = common;
        read_options(element.at("optimizer"),
                     [&](OptionVisitor& visitor) { visit_options(visitor, item.optimizer); });
    }
    return overrides;
}

}  // namespace

void visit_options(OptionVisitor& v, IslandSettings& s, const OptimizerSettings& common) {
    v.whole("count", s.count,
            {.help = "number of islands; 0: one a node", .minimum = 0, .maximum = 65535});
    v.choice("mode", s.mode, {"deterministic", "asynchronous"},
             {.help = "deterministic: the same history whatever the timing; asynchronous: "
                      "candidates are drawn on demand"});
    v.whole("window", s.window,
            {.help = "candidates of the next generation drawn before this one is told; -1: half "
                     "the population, 0: wait",
             .minimum = -1});
    v.option("watchdog", s.watchdog,
             {.help = "seconds without progress after which a process is taken for hung and the "
                      "job ended (it can be resumed); 0: never",
              .minimum = 0});
    auto schema = nlohmann::ordered_json::parse(
        R"({"type": "array", "items": {"type": "object", "additionalProperties": false,
        "required": ["islands", "optimizer"],
        "properties": {"islands": {"type": "array", "items": {"type": "integer", "minimum": 0}}}}})");
    auto defaults = common;
    schema["items"]["properties"]["optimizer"] =
        schema_of_options([&](OptionVisitor& inner) { visit_options(inner, defaults); });
    v.custom("overrides",
             {.schema = schema,
              .read = [&](const YamlReader& list) { s.overrides = read_overrides(list, common); },
              .write = [&] { return write_overrides(s.overrides); }},
             {.help = "optimiser settings of single islands: a list of {islands: [numbers], "
                      "optimizer: {...}}"});
}

void visit_options(OptionVisitor& v, MigrationSettings& s) {
    v.choice("topology", s.topology, {"none", "ring", "fully_connected", "star", "random_regular"},
             {.help = "who sends migrants to whom"});
    v.whole("degree", s.degree,
            {.help = "neighbours of an island under random_regular", .minimum = 1});
    v.whole("interval", s.interval, {.help = "generations between two migrations", .minimum = 1});
    v.whole("elites", s.elites, {.help = "migrants to each neighbour", .minimum = 1});
    v.choice("selection", s.selection, {"best", "random", "tournament"},
             {.help = "which individuals migrate: the best, any of the elites, or winners of a "
                      "tournament of two"});
    v.choice("replacement", s.replacement, {"fair", "improving"},
             {.help = "fair: migrants compete with the island's own; improving: only those fitter "
                      "than its best are taken in"});
    v.whole("lag", s.lag,
            {.help = "generations between sending and taking in; hides neighbours that are slower",
             .minimum = 1});
}

void visit_options(OptionVisitor& v, BudgetSettings& s) {
    v.option("evaluations", s.evaluations,
             {.help = "candidates an island; 0: no limit", .minimum = 0});
    v.option("generations", s.generations,
             {.help = "generations an island; 0: no limit", .minimum = 0});
    v.option("wall_time", s.wall_time,
             {.help = "seconds of this attempt; 0: no limit", .minimum = 0});
    v.option("target", s.target, {.help = "stop when an island's best train fitness reaches this"});
}

void visit_options(OptionVisitor& v, SelectionSettings& s) {
    v.whole(
        "finalists", s.finalists,
        {.help = "best candidates of each island among which validation chooses", .minimum = 1});
}

}  // namespace galapagos
