// What a candidate will be merged by, as far as it is known before the first.
#pragma once

#include <span>
#include <vector>

#include "merge/plan.hpp"

namespace galapagos {

/// Plans like those that will be merged, which tell how much memory that takes. They must outlive
/// the use of this.
struct MergeForms {
    MergeForms(const std::vector<MergePlan>& all, bool merged_once = false)
        : plans(all), once(merged_once) {}

    std::span<const MergePlan> plans;
    bool once;  ///< there is one plan, and it is merged a single time
};

}  // namespace galapagos
