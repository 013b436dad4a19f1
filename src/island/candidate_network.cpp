#include "island/candidate_network.hpp"

#include "island/candidate_model.hpp"
#include "merge/merged_config.hpp"

namespace galapagos {
namespace {

CandidateNetwork slot_network(const Recipe& recipe, const Source& donor,
                              const std::vector<std::shared_ptr<const Source>>& sources,
                              const SourceIndex& index) {
    CandidateNetwork network;
    network.slots.emplace(*recipe.layer_path);
    network.architecture = slot_architecture(*network.slots, donor, sources, index);
    network.route = network.slots->route(*recipe.layer_path);
    network.forms.push_back(
        make_slot_plan(network.slots->layers(), donor_model(recipe), sources, index));
    network.merged_once = true;
    return network;
}

}  // namespace

CandidateNetwork network_of(const Recipe& recipe, const Source& donor,
                            const std::vector<std::shared_ptr<const Source>>& sources) {
    const auto index = index_sources(sources);
    if (recipe.layer_path) return slot_network(recipe, donor, sources, index);
    CandidateNetwork network;
    network.merged_once = true;
    network.forms.push_back(make_plan(recipe, sources, index));
    network.architecture = candidate_architecture(
        merged_config(recipe, sources, index, network.forms.front().layers), donor, sources);
    network.route = LayerRoute::plain(network.architecture.layers);
    return network;
}

CandidateNetwork network_of(const SearchSpace& space,
                            const std::vector<std::shared_ptr<const Source>>& sources) {
    const Source& donor = *sources.front();
    const auto index = index_sources(sources);
    const auto forms = space.forms();
    if (space.max_hops() > 0) {
        CandidateNetwork network = slot_network(forms.front(), donor, sources, index);
        network.route =
            network.slots->route(*space.recipe(initial_genome(space.genes())).layer_path);
        network.max_hops = space.max_hops();
        return network;
    }
    CandidateNetwork network;
    network.architecture = candidate_architecture(donor.config(), donor, sources);
    network.route = LayerRoute::plain(network.architecture.layers);
    for (const Recipe& recipe : forms) network.forms.push_back(make_plan(recipe, sources, index));
    return network;
}

}  // namespace galapagos
