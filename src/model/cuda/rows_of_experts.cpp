#include "model/cuda/rows_of_experts.hpp"

#include "model/cuda/experts.hpp"

namespace galapagos::cuda {

void RowsOfExperts::sort(std::span<const float> weights, std::int64_t experts) {
    const auto columns = static_cast<std::size_t>(experts);
    rows_.clear();
    first_.assign(1, 0);
    for (std::size_t expert = 0; expert < columns; ++expert) {
        for (std::size_t row = 0; row < weights.size() / columns; ++row)
            if (weights[row * columns + expert] != not_chosen)
                rows_.push_back(static_cast<std::int32_t>(row));
        first_.push_back(static_cast<std::int64_t>(rows_.size()));
    }
}

}  // namespace galapagos::cuda
