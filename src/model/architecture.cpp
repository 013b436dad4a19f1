#include "model/architecture.hpp"

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

/// Reads keys of one JSON object, with errors that name document and key.
class ConfigReader {
  public:
    ConfigReader(const json& object, std::string origin)
        : object_(object), origin_(std::move(origin)) {
        if (!object_.is_object()) throw Error("Cannot use " + origin_, "it is not a JSON object");
    }

    /// True for a key that is there and not null.
    bool has(const char* key) const {
        const auto found = object_.find(key);
        return found != object_.end() && !found->is_null();
    }

    const json& at(const char* key) const { return object_.at(key); }

    int64_t size(const char* key) const {
        if (!has(key)) refuse(key, "the key is missing");
        const json& value = at(key);
        if (!value.is_number_integer()) refuse(key, "it must be a whole number");
        const auto number = value.get<int64_t>();
        if (number < 1 || number > std::numeric_limits<int32_t>::max())
            refuse(key, "it must be between 1 and 2147483647");
        return number;
    }
    int64_t size(const char* key, int64_t fallback) const {
        return has(key) ? size(key) : fallback;
    }

    double number(const char* key) const {
        if (!has(key)) refuse(key, "the key is missing");
        if (!at(key).is_number()) refuse(key, "it must be a number");
        const double value = at(key).get<double>();
        if (!(value > 0)) refuse(key, "it must be positive");
        return value;
    }
    double number(const char* key, double fallback) const {
        return has(key) ? number(key) : fallback;
    }

    bool flag(const char* key, bool fallback) const {
        if (!has(key)) return fallback;
        if (!at(key).is_boolean()) refuse(key, "it must be true or false");
        return at(key).get<bool>();
    }

    std::string text(const char* key, const std::string& fallback) const {
        if (!has(key)) return fallback;
        if (!at(key).is_string()) refuse(key, "it must be a string");
        return at(key).get<std::string>();
    }

    [[noreturn]] void refuse(const std::string& key, const std::string& why,
                             const std::string& hint = {}) const {
        throw Error("Cannot use \"" + key + "\" of " + origin_, why, hint);
    }

    const std::string& origin() const { return origin_; }

  private:
    const json& object_;
    std::string origin_;
};

RopeSettings read_rope_kind(const ConfigReader& reader, double theta) {
    RopeSettings rope;
    rope.theta = reader.number("rope_theta", theta);
    if (reader.number("partial_rotary_factor", 1.0) != 1.0)
        reader.refuse("partial_rotary_factor", "only whole heads can be rotated here");
    const std::string kind = reader.text("rope_type", reader.text("type", "default"));
    if (kind == "default") return rope;
    if (kind == "linear") {
        rope.kind = RopeSettings::Kind::linear;
        rope.factor = reader.number("factor");
        return rope;
    }
    if (kind == "llama3") {
        rope.kind = RopeSettings::Kind::llama3;
        rope.factor = reader.number("factor");
        rope.low_freq_factor = reader.number("low_freq_factor");
        rope.high_freq_factor = reader.number("high_freq_factor");
        rope.original_max_positions = reader.size("original_max_position_embeddings");
        if (rope.high_freq_factor <= rope.low_freq_factor)
            reader.refuse("high_freq_factor", "it must exceed low_freq_factor");
        return rope;
    }
    reader.refuse(reader.has("rope_type") ? "rope_type" : "type",
                  "rotary embeddings of type \"" + kind + "\" are not supported",
                  "supported: default, linear, llama3");
}

/// Position scaling is in `rope_scaling` (with `rope_theta` beside it) in files written by
/// transformers 4, in `rope_parameters` since transformers 5.
RopeSettings read_rope(const ConfigReader& reader) {
    const double theta = reader.number("rope_theta", 10000.0);
    const bool new_style = reader.has("rope_parameters");
    if (new_style && reader.has("rope_scaling") &&
        reader.at("rope_parameters") != reader.at("rope_scaling"))
        reader.refuse("rope_scaling", "rope_parameters is there too and says something else");
    const char* key = new_style ? "rope_parameters" : "rope_scaling";
    if (!reader.has(key)) {
        RopeSettings rope;
        rope.theta = theta;
        return rope;
    }
    std::string origin = "key ";
    origin += key;
    origin += " of " + reader.origin();
    return read_rope_kind(ConfigReader(reader.at(key), origin), theta);
}

void refuse_what_changes_the_forward_pass(const ConfigReader& reader) {
    const std::string activation = reader.text("hidden_act", "silu");
    if (activation != "silu")
        reader.refuse("hidden_act", "the activation \"" + activation + "\" is not supported",
                      "supported: silu");
    if (reader.size("pretraining_tp", 1) != 1)
        reader.refuse("pretraining_tp", "only 1 is supported");
    if (reader.flag("rope_interleaved", false))
        reader.refuse("rope_interleaved",
                      "only the half-split layout of rotary pairs is supported");
    if (reader.has("sliding_window"))
        reader.refuse("sliding_window", "windowed attention is not supported for this model type");
    if (reader.has("quantization_config"))
        reader.refuse("quantization_config", "quantised weights are not supported",
                      "use the unquantised model");
}

}  // namespace

Architecture Architecture::from_config(const json& config, const std::string& origin) {
    const ConfigReader reader(config, origin);
    Architecture result;
    result.model_type = reader.text("model_type", "");
    if (result.model_type != "llama")
        reader.refuse("model_type",
                      "the architecture \"" + result.model_type + "\" is not supported",
                      "supported: llama");
    refuse_what_changes_the_forward_pass(reader);

    result.vocabulary = reader.size("vocab_size");
    result.hidden = reader.size("hidden_size");
    result.intermediate = reader.size("intermediate_size");
    result.layers = reader.size("num_hidden_layers");
    result.query_heads = reader.size("num_attention_heads");
    result.kv_heads = reader.size("num_key_value_heads", result.query_heads);
    if (result.query_heads % result.kv_heads != 0)
        reader.refuse("num_key_value_heads", "it must divide num_attention_heads");
    if (!reader.has("head_dim") && result.hidden % result.query_heads != 0)
        reader.refuse("hidden_size",
                      "without head_dim it must be a multiple of num_attention_heads");
    result.head_dim =
        reader.size("head_dim", std::max<int64_t>(1, result.hidden / result.query_heads));
    if (result.head_dim % 2 != 0 || result.head_dim > 512)
        reader.refuse("head_dim", "it must be even and at most 512");
    result.max_positions = reader.size("max_position_embeddings", 2048);
    result.norm_epsilon = reader.number("rms_norm_eps", 1e-6);
    result.tied_embeddings = reader.flag("tie_word_embeddings", false);
    result.attention_bias = reader.flag("attention_bias", false);
    result.mlp_bias = reader.flag("mlp_bias", false);
    result.rope = read_rope(reader);
    return result;
}

std::vector<ModelTensor> model_tensors(const Architecture& architecture) {
    const Architecture& a = architecture;
    const int64_t q_width = a.query_heads * a.head_dim;
    const int64_t kv_width = a.kv_heads * a.head_dim;
    std::vector<ModelTensor> tensors;
    const auto linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
        tensors.push_back({name + ".weight", {out, in}});
        if (bias) tensors.push_back({name + ".bias", {out}});
    };
    tensors.push_back({"model.embed_tokens.weight", {a.vocabulary, a.hidden}});
    for (int64_t layer = 0; layer < a.layers; ++layer) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".";
        tensors.push_back({prefix + "input_layernorm.weight", {a.hidden}});
        linear(prefix + "self_attn.q_proj", q_width, a.hidden, a.attention_bias);
        linear(prefix + "self_attn.k_proj", kv_width, a.hidden, a.attention_bias);
        linear(prefix + "self_attn.v_proj", kv_width, a.hidden, a.attention_bias);
        linear(prefix + "self_attn.o_proj", a.hidden, q_width, a.attention_bias);
        tensors.push_back({prefix + "post_attention_layernorm.weight", {a.hidden}});
        linear(prefix + "mlp.gate_proj", a.intermediate, a.hidden, a.mlp_bias);
        linear(prefix + "mlp.up_proj", a.intermediate, a.hidden, a.mlp_bias);
        linear(prefix + "mlp.down_proj", a.hidden, a.intermediate, a.mlp_bias);
    }
    tensors.push_back({"model.norm.weight", {a.hidden}});
    if (!a.tied_embeddings) tensors.push_back({"lm_head.weight", {a.vocabulary, a.hidden}});
    return tensors;
}

std::vector<TensorSpec> arena_specs(const Architecture& architecture, const Sharding& sharding,
                                    DType dtype) {
    std::vector<TensorSpec> specs;
    for (const ModelTensor& tensor : model_tensors(architecture))
        specs.push_back({tensor.name, dtype, sharding.local_shape(tensor.name, tensor.shape)});
    return specs;
}

}  // namespace galapagos
