#pragma once

#include <cstdint>
#include <vector>

#include "weights/architecture.hpp"

namespace galapagos {

/// Angle per position of each rotated pair, rotary_dim / 2 values, in the fp32 arithmetic of
/// transformers' modeling_rope_utils.
std::vector<float> inverse_frequencies(const RopeSettings& rope);

/// Cosines and sines of every position, [positions, rotary_dim / 2] each, rounded to the model
/// dtype (as transformers casts them) and kept as float.
struct RotaryTable {
    RotaryTable(const RopeSettings& rope, int64_t positions, DType dtype);

    const float* cosines(int64_t position) const { return cosines_.data() + position * half_; }
    int64_t rotary_dim() const { return 2 * half_; }
    const float* sines(int64_t position) const { return sines_.data() + position * half_; }

  private:
    int64_t half_;
    std::vector<float> cosines_;
    std::vector<float> sines_;
};

}  // namespace galapagos
