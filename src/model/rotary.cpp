#include "model/rotary.hpp"

#include <cmath>
#include <numbers>

namespace galapagos {
namespace {

/// Llama 3.1 scaling: long wavelengths are stretched by `factor`, short ones kept, those between
/// blended.
float scale_llama3(float frequency, const RopeSettings& rope) {
    const auto factor = static_cast<float>(rope.factor);
    const auto original = static_cast<float>(rope.original_max_positions);
    const auto low = static_cast<float>(rope.low_freq_factor);
    const auto high = static_cast<float>(rope.high_freq_factor);
    const float wavelength = 2.0F * std::numbers::pi_v<float> / frequency;
    if (wavelength > original / low) return frequency / factor;
    if (wavelength < original / high) return frequency;
    const float smooth = (original / wavelength - low) / (high - low);
    return (1.0F - smooth) * (frequency / factor) + smooth * frequency;
}

}  // namespace

std::vector<float> inverse_frequencies(const RopeSettings& rope, int64_t head_dim) {
    std::vector<float> frequencies(static_cast<size_t>(head_dim / 2));
    for (size_t i = 0; i < frequencies.size(); ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
        const auto power = static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
        float frequency = 1.0F / power;
        if (rope.kind == RopeSettings::Kind::linear) frequency /= static_cast<float>(rope.factor);
        if (rope.kind == RopeSettings::Kind::llama3) frequency = scale_llama3(frequency, rope);
        frequencies[i] = frequency;
    }
    return frequencies;
}

RotaryTable::RotaryTable(const RopeSettings& rope, int64_t head_dim, int64_t positions, DType dtype)
    : half_(head_dim / 2) {
    const std::vector<float> frequencies = inverse_frequencies(rope, head_dim);
    const auto size = static_cast<size_t>(positions * half_);
    cosines_.reserve(size);
    sines_.reserve(size);
    for (int64_t position = 0; position < positions; ++position) {
        for (const float frequency : frequencies) {
            // The product is rounded to fp32 as in the reference, its cosine is then exact to fp32.
            const float angle = static_cast<float>(position) * frequency;
            cosines_.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
            sines_.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
        }
    }
    if (dtype == DType::f32) return;
    std::vector<uint16_t> rounded(size);
    for (std::vector<float>* table : {&cosines_, &sines_}) {
        from_float(table->data(), size, rounded.data(), dtype);
        to_float(rounded.data(), dtype, table->data(), size);
    }
}

}  // namespace galapagos
