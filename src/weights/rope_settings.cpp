#include "weights/rope_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"

namespace galapagos {
namespace {

/// The context before scaling: beside the object, else in it, else what scaling began with.
int64_t original_positions(const ConfigReader& config, const ConfigReader& object,
                           const RopeDefaults& defaults) {
    constexpr const char* key = "original_max_position_embeddings";
    const int64_t fallback = defaults.original_max_positions > 0 ? defaults.original_max_positions
                                                                 : defaults.max_positions;
    const int64_t inner = object.size(key, fallback);
    if (config.has(key)) return config.size(key);
    return defaults.original_max_positions > 0 ? defaults.original_max_positions : inner;
}

void read_llama3(const ConfigReader& object, int64_t original, RopeSettings& rope) {
    rope.factor = object.number("factor");
    rope.low_freq_factor = object.number("low_freq_factor");
    rope.high_freq_factor = object.number("high_freq_factor");
    rope.original_max_positions = original;
    if (rope.high_freq_factor <= rope.low_freq_factor)
        object.refuse("high_freq_factor", "it must exceed low_freq_factor");
}

/// YaRN (Peng et al., 2023): slow pairs are interpolated, fast ones kept, with a ramp between.
void read_yarn(const ConfigReader& object, int64_t original, const RopeDefaults& defaults,
               RopeSettings& rope) {
    rope.factor = object.number(
        "factor", static_cast<double>(defaults.max_positions) / static_cast<double>(original));
    const auto scale = [&](double weight) {
        return rope.factor <= 1 ? 1.0 : 0.1 * weight * std::log(rope.factor) + 1.0;
    };
    const bool two_scales = object.has("mscale") && object.has("mscale_all_dim");
    rope.attention_factor =
        object.number("attention_factor", two_scales ? scale(object.number("mscale")) /
                                                           scale(object.number("mscale_all_dim"))
                                                     : scale(1));
    const auto dim = static_cast<double>(rope.rotary_dim);
    const auto pair_of = [&](double turns) {
        return dim * std::log(static_cast<double>(original) / (turns * 2 * std::numbers::pi)) /
               (2 * std::log(rope.theta));
    };
    double low = pair_of(object.number("beta_fast", 32.0));
    double high = pair_of(object.number("beta_slow", 1.0));
    if (object.flag("truncate", true)) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    rope.ramp_begin = std::max(low, 0.0);
    rope.ramp_end = std::min(high, dim - 1);
    if (rope.ramp_begin == rope.ramp_end) rope.ramp_end += 0.001;
}

/// LongRoPE (Ding et al., 2024) up to the original context. Beyond it transformers divides by other
/// numbers, for all positions, as soon as the longest sequence of a batch is too long.
void read_longrope(const ConfigReader& object, int64_t original, const RopeDefaults& defaults,
                   RopeSettings& rope) {
    const double factor = object.number(
        "factor", static_cast<double>(defaults.max_positions) / static_cast<double>(original));
    rope.attention_factor = object.number(
        "attention_factor",
        factor <= 1 ? 1.0
                    : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(original))));
    rope.most_positions = original;
    for (const char* key : {"short_factor", "long_factor"}) {
        if (!object.has(key)) object.refuse(key, "the key is missing");
        const auto& list = object.at(key);
        const auto pairs = static_cast<size_t>(rope.rotary_dim / 2);
        if (!list.is_array() || list.size() != pairs ||
            !std::all_of(list.begin(), list.end(), [](const auto& x) {
                return x.is_number() && x.template get<double>() > 0;
            }))
            object.refuse(key, fmt::format("it must be a list of {} positive numbers", pairs));
    }
    rope.divisors = object.at("short_factor").get<std::vector<double>>();
}

/// An odd number n of elements becomes n + 1 in transformers, whose frequencies remain powers of
/// theta in steps of 2 / n: powers of theta^((n + 1) / n) in steps of 2 / (n + 1).
void round_up_to_pairs(const ConfigReader& object, RopeSettings& rope) {
    if (rope.rotary_dim % 2 == 0) return;
    if (object.text("rope_type", object.text("type", "default")) == "yarn")
        object.refuse("partial_rotary_factor", "yarn needs an even number of rotated elements");
    const auto odd = static_cast<double>(rope.rotary_dim);
    rope.theta = std::pow(rope.theta, (odd + 1) / odd);
    ++rope.rotary_dim;
}

}  // namespace

RopeSettings read_rope_object(const ConfigReader& config, const ConfigReader& object,
                              int64_t head_dim, const RopeDefaults& defaults) {
    RopeSettings rope;
    rope.theta = object.number("rope_theta", defaults.theta);
    const double fraction = object.number("partial_rotary_factor", defaults.rotary_fraction);
    if (fraction > 1 || (fraction != 1 && !defaults.may_rotate_part))
        object.refuse("partial_rotary_factor", "only whole heads can be rotated here");
    rope.rotary_dim = static_cast<int64_t>(static_cast<double>(head_dim) * fraction);
    if (rope.rotary_dim < 1)
        object.refuse("partial_rotary_factor", "no element of a head would be rotated");
    round_up_to_pairs(object, rope);
    const std::string kind = object.text("rope_type", object.text("type", "default"));
    const int64_t original = original_positions(config, object, defaults);
    if (kind == "linear") {
        rope.kind = RopeSettings::Kind::linear;
        rope.factor = object.number("factor");
    } else if (kind == "dynamic") {  // as "default" until a sequence is longer than the context
        rope.most_positions = defaults.max_positions;
    } else if (kind == "llama3") {
        rope.kind = RopeSettings::Kind::llama3;
        read_llama3(object, original, rope);
    } else if (kind == "yarn") {
        rope.kind = RopeSettings::Kind::yarn;
        read_yarn(object, original, defaults, rope);
    } else if (kind == "longrope" || kind == "su") {
        rope.kind = RopeSettings::Kind::longrope;
        read_longrope(object, original, defaults, rope);
    } else if (kind != "default") {
        object.refuse(object.has("rope_type") ? "rope_type" : "type",
                      "rotary embeddings of type \"" + kind + "\" are not supported",
                      "supported: default, linear, dynamic, llama3, yarn, longrope");
    }
    return rope;
}

RopeSettings read_rope(const ConfigReader& config, int64_t head_dim, const RopeDefaults& given) {
    RopeDefaults defaults = given;
    defaults.theta = config.number(defaults.theta_key, defaults.theta);
    defaults.rotary_fraction =
        config.number(defaults.rotary_fraction_key, defaults.rotary_fraction);
    const bool new_style = config.has("rope_parameters");
    if (new_style && config.has("rope_scaling") &&
        config.at("rope_parameters") != config.at("rope_scaling"))
        config.refuse("rope_scaling", "rope_parameters is there too and says something else");
    const char* key = new_style ? "rope_parameters" : "rope_scaling";
    if (!config.has(key)) {
        const auto nothing = nlohmann::json::object();
        return read_rope_object(config, ConfigReader(nothing, config.origin()), head_dim, defaults);
    }
    return read_rope_object(
        config, ConfigReader(config.at(key), fmt::format("key {} of {}", key, config.origin())),
        head_dim, defaults);
}

}  // namespace galapagos
