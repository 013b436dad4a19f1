// SCE: select, calculate, erase (Wan et al., 2024).
#pragma once

#include <vector>

#include "merge/order_statistic.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

struct SceSettings {
    KeyCut cut;          ///< of the variance over the models
    bool empty = false;  ///< nothing is selected
    std::vector<double> weights;
};

/// Which elements differ most between the models, and the share of each model: its mean squared
/// change there, or equal shares where these are tiny.
SceSettings sce_settings(const TensorJob& job, StatisticPasses& passes = cpu_passes());

// As StatisticPasses, by all threads.
std::int64_t count_varied(const TensorJob& job);
KeyCut cut_variance(const TensorJob& job, std::int64_t k);
std::vector<double> mean_squares(const TensorJob& job);

/// Elements whose squares are added up together, for mean_squares.
inline constexpr std::int64_t squares_chunk = 64 * block_elements;
/// The sums of chunks [begin_chunk, end_chunk), by all threads: one for each input of the first
/// chunk, then of the second.
std::vector<double> sums_of_squares(const TensorJob& job, std::int64_t begin_chunk,
                                    std::int64_t end_chunk);
inline std::int64_t squares_chunks(std::int64_t count) {
    return (count + squares_chunk - 1) / squares_chunk;
}
/// From the sums of all chunks, one for each input of the first chunk, then of the second.
std::vector<double> mean_of_chunks(const std::vector<double>& sums, const TensorJob& job);

}  // namespace galapagos
