#include "weights/config_reader.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

/// Keys of transformers' decoder configurations that change the arithmetic, with the value that
/// leaves it alone where that isn't false or empty. An architecture that knows a key asks for it.
const std::pair<const char*, json> arithmetic_keys[] = {
    {"add_cross_attention", nullptr},
    {"add_qkv_bias", nullptr},
    {"alibi", nullptr},
    {"attention_bias", nullptr},
    {"attention_chunk_size", nullptr},
    {"attention_k_eq_v", nullptr},
    {"attention_multiplier", 1.0},
    {"attn_logit_softcapping", nullptr},
    {"attn_temperature_tuning", nullptr},
    {"clip_qkv", nullptr},
    {"embedding_multiplier", 1.0},
    {"final_logit_softcapping", nullptr},
    {"hidden_activation", nullptr},
    {"interleaved_sliding_window", nullptr},
    {"kv_lora_rank", nullptr},
    {"layer_types", nullptr},
    {"logit_scale", 1.0},
    {"logits_scaling", 1.0},
    {"mlp_bias", nullptr},
    {"mup_width_scale", 1.0},
    {"n_routed_experts", nullptr},
    {"no_rope_layers", nullptr},
    {"num_experts", nullptr},
    {"num_kv_shared_layers", nullptr},
    {"num_local_experts", nullptr},
    {"parallel_attn", nullptr},
    {"partial_rotary_factor", 1.0},
    {"pretraining_tp", 1},
    {"qk_layernorm", nullptr},
    {"qkv_bias", nullptr},
    {"quantization_config", nullptr},
    {"query_pre_attn_scalar", nullptr},
    {"residual_multiplier", 1.0},
    {"rope_interleaved", nullptr},
    {"rotary_pct", 1.0},
    {"scale_attn_by_inverse_layer_idx", nullptr},
    {"sliding_window", nullptr},
    {"use_bidirectional_attention", nullptr},
    {"use_parallel_residual", nullptr},
    {"use_qk_norm", nullptr},
    {"use_sliding_window", nullptr},
};

bool is_off(const json& value) {
    return value.is_null() || value == false ||
           ((value.is_array() || value.is_object() || value.is_string()) && value.empty());
}

}  // namespace

ConfigReader::ConfigReader(const json& object, std::string origin)
    : object_(object), origin_(std::move(origin)) {
    if (!object_.is_object()) throw Error("Cannot use " + origin_, "it is not a JSON object");
}

bool ConfigReader::has(std::string_view key) const {
    asked_.emplace(key);
    const auto found = object_.find(key);
    return found != object_.end() && !found->is_null();
}

bool ConfigReader::is_null(std::string_view key) const {
    return !has(key) && object_.contains(key);
}

const json& ConfigReader::at(std::string_view key) const {
    asked_.emplace(key);
    return object_.at(std::string(key));
}

int64_t ConfigReader::size(std::string_view key) const {
    if (!has(key)) refuse(key, "the key is missing");
    const json& value = at(key);
    if (!value.is_number_integer()) refuse(key, "it must be a whole number");
    const auto number = value.get<int64_t>();
    if (number < 1 || number > std::numeric_limits<int32_t>::max())
        refuse(key, "it must be between 1 and 2147483647");
    return number;
}

int64_t ConfigReader::size(std::string_view key, int64_t fallback) const {
    return has(key) ? size(key) : fallback;
}

int64_t ConfigReader::count(std::string_view key, int64_t fallback) const {
    return has(key) && at(key) == 0 ? 0 : size(key, fallback);
}

double ConfigReader::number(std::string_view key) const {
    if (!has(key)) refuse(key, "the key is missing");
    if (!at(key).is_number()) refuse(key, "it must be a number");
    const double value = at(key).get<double>();
    if (!(value > 0)) refuse(key, "it must be positive");
    return value;
}

double ConfigReader::number(std::string_view key, double fallback) const {
    return has(key) ? number(key) : fallback;
}

bool ConfigReader::flag(std::string_view key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!at(key).is_boolean()) refuse(key, "it must be true or false");
    return at(key).get<bool>();
}

std::string ConfigReader::text(std::string_view key, const std::string& fallback) const {
    if (!has(key)) return fallback;
    if (!at(key).is_string()) refuse(key, "it must be a string");
    return at(key).get<std::string>();
}

void ConfigReader::refuse(std::string_view key, const std::string& why,
                          const std::string& hint) const {
    throw Error(fmt::format("Cannot use \"{}\" of {}", key, origin_), why, hint);
}

void ConfigReader::refuse_unless(std::string_view key, const json& neutral,
                                 const std::string& why) const {
    if (!has(key)) return;
    const json& value = at(key);
    if (!is_off(value) && value != neutral) refuse(key, why);
}

void ConfigReader::refuse_other_arithmetic() const {
    for (const auto& [key, neutral] : arithmetic_keys) {
        if (asked_.contains(std::string_view(key))) continue;
        refuse_unless(key, neutral, "this setting is not supported for this model type");
    }
}

}  // namespace galapagos
