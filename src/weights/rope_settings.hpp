// Rotary position embeddings as config.json describes them.
#pragma once

#include <cstdint>
#include <vector>

#include "weights/config_reader.hpp"

namespace galapagos {

/// How rotary frequencies are derived from `theta`. Formulas: transformers' modeling_rope_utils.
struct RopeSettings {
    enum class Kind { standard, linear, llama3, yarn, longrope };
    Kind kind = Kind::standard;
    double theta = 10000.0;
    int64_t rotary_dim = 0;         ///< leading elements of a head that are rotated
    double factor = 1.0;            ///< linear, llama3, yarn: how much longer the context became
    double low_freq_factor = 1.0;   ///< llama3
    double high_freq_factor = 4.0;  ///< llama3
    int64_t original_max_positions = 0;   ///< llama3
    double ramp_begin = 0, ramp_end = 0;  ///< yarn: pairs between which scaling sets in
    std::vector<double> divisors;         ///< longrope: one a pair
    double attention_factor = 1.0;        ///< yarn, longrope: multiplies cosines and sines
    /// Longest sequence whose embeddings do not depend on its length; 0: no limit.
    int64_t most_positions = 0;

    bool operator==(const RopeSettings&) const = default;
};

/// What an architecture brings along for keys that a config.json lacks.
struct RopeDefaults {
    double theta = 10000.0;
    const char* theta_key = "rope_theta";
    double rotary_fraction = 1.0;
    const char* rotary_fraction_key = "partial_rotary_factor";
    bool may_rotate_part = false;  ///< other fractions than 1 are known
    int64_t max_positions = 0;
    int64_t original_max_positions = 0;  ///< 0: max_positions
};

/// The rotary embedding of a config.json: `rope_parameters` (transformers 5), or `rope_scaling`
/// with other keys beside it (transformers 4). Throws Error naming what is not supported.
RopeSettings read_rope(const ConfigReader& config, int64_t head_dim, const RopeDefaults& defaults);

/// The same from one object, such as the part of `rope_parameters` for one type of layer.
/// `config` is the document around it.
RopeSettings read_rope_object(const ConfigReader& config, const ConfigReader& object,
                              int64_t head_dim, const RopeDefaults& defaults);

}  // namespace galapagos
