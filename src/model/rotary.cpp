#include "model/rotary.hpp"

#include <algorithm>
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

/// YaRN: pairs before the ramp keep their frequency, those after it are slowed by `factor`.
float scale_yarn(float power, size_t pair, const RopeSettings& rope) {
    const auto begin = static_cast<float>(rope.ramp_begin);
    const auto width = static_cast<float>(rope.ramp_end - rope.ramp_begin);
    const float ramp = std::clamp((static_cast<float>(pair) - begin) / width, 0.0F, 1.0F);
    const float kept = 1.0F - ramp;
    const float slowed = 1.0F / (static_cast<float>(rope.factor) * power);
    return slowed * (1.0F - kept) + (1.0F / power) * kept;
}

float frequency_of(float power, size_t pair, const RopeSettings& rope) {
    switch (rope.kind) {
        case RopeSettings::Kind::standard:
            return 1.0F / power;
        case RopeSettings::Kind::linear:
            return 1.0F / power / static_cast<float>(rope.factor);
        case RopeSettings::Kind::llama3:
            return scale_llama3(1.0F / power, rope);
        case RopeSettings::Kind::yarn:
            return scale_yarn(power, pair, rope);
        case RopeSettings::Kind::longrope:
            return 1.0F / (static_cast<float>(rope.divisors.at(pair)) * power);
    }
    return 0;
}

}  // namespace

std::vector<float> inverse_frequencies(const RopeSettings& rope) {
    std::vector<float> frequencies(static_cast<size_t>(rope.rotary_dim / 2));
    for (size_t i = 0; i < frequencies.size(); ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(rope.rotary_dim);
        const auto power = static_cast<float>(std::pow(rope.theta, static_cast<double>(exponent)));
        frequencies[i] = frequency_of(power, i, rope);
    }
    return frequencies;
}

RotaryTable::RotaryTable(const RopeSettings& rope, int64_t positions, DType dtype)
    : half_(rope.rotary_dim / 2) {
    const std::vector<float> frequencies = inverse_frequencies(rope);
    const auto factor = static_cast<float>(rope.attention_factor);
    const auto size = static_cast<size_t>(positions * half_);
    cosines_.reserve(size);
    sines_.reserve(size);
    for (int64_t position = 0; position < positions; ++position) {
        for (const float frequency : frequencies) {
            // The product is rounded to fp32 as in the reference, its cosine is then exact to fp32.
            const float angle = static_cast<float>(position) * frequency;
            cosines_.push_back(factor * static_cast<float>(std::cos(static_cast<double>(angle))));
            sines_.push_back(factor * static_cast<float>(std::sin(static_cast<double>(angle))));
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
