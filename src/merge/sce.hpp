// SCE: select, calculate, erase (Wan et al., 2024).
#pragma once

#include <vector>

#include "merge/order_statistic.hpp"

namespace galapagos {

struct TensorJob;

struct SceSettings {
    KeyCut cut;          ///< of the variance over the models
    bool empty = false;  ///< nothing is selected
    std::vector<double> weights;
};

/// Which elements differ most between the models, and the share of each model: its mean squared
/// change there, or equal shares where these are tiny.
SceSettings sce_settings(const TensorJob& job);

}  // namespace galapagos
