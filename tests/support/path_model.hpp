// A recipe with a layer path in memory, ready for a decoder: its layers stored once each.
#pragma once

#include <memory>
#include <vector>

#include "merge/merger.hpp"
#include "merge/path_plan.hpp"
#include "model/decoder.hpp"
#include "weights/arena.hpp"
#include "weights/sharding.hpp"

namespace galapagos::test {

struct PathModel {
    PathModel(const Recipe& recipe, DType dtype, int tp_size = 1, int tp_rank = 0)
        : sources(open_sources(recipe)),
          index(index_sources(sources)),
          donor(*sources[static_cast<std::size_t>(index.at(donor_model(recipe)))]),
          slots(*recipe.layer_path),
          route(slots.route(*recipe.layer_path)),
          architecture(slot_architecture(slots, donor, sources, index)),
          sharding(donor.config(), tp_size, tp_rank),
          arena(arena_specs(architecture, sharding, dtype)) {
        Merger(sources, sharding, 0)
            .merge(make_slot_plan(slots.layers(), donor_model(recipe), sources, index), arena);
    }

    std::vector<std::shared_ptr<const Source>> sources;
    SourceIndex index;
    const Source& donor;
    LayerSlots slots;
    LayerRoute route;
    Architecture architecture;
    Sharding sharding;
    Arena arena;
};

}  // namespace galapagos::test
