#include "weights/architecture_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace galapagos {

Activation read_activation(const ConfigReader& config, const char* key, const char* fallback) {
    const std::string name = config.text(key, fallback);
    if (name == "silu" || name == "swish") return Activation::silu;
    if (name == "gelu") return Activation::gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
        return Activation::gelu_tanh;
    config.refuse(key, fmt::format("the activation \"{}\" is not supported", name),
                  "supported: silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh");
}

std::vector<bool> read_sliding_layers(const ConfigReader& config, std::vector<bool> fallback) {
    if (!config.has("layer_types")) return fallback;
    const auto& types = config.at("layer_types");
    if (!types.is_array() || types.size() != fallback.size())
        config.refuse("layer_types", fmt::format("it must list {} layers", fallback.size()));
    std::vector<bool> sliding;
    for (const auto& type : types) {
        const std::string name = type.is_string() ? type.get<std::string>() : type.dump();
        if (name != "sliding_attention" && name != "full_attention")
            config.refuse("layer_types", fmt::format("{} is not supported", name),
                          "supported: full_attention, sliding_attention");
        sliding.push_back(name == "sliding_attention");
    }
    return sliding;
}

void set_windows(Architecture& architecture, const std::vector<bool>& sliding, int64_t window) {
    for (size_t i = 0; i < sliding.size(); ++i)
        architecture.layer_settings[i].window = sliding[i] ? window : 0;
}

void read_llama_settings(const ConfigReader& config, Architecture& architecture,
                         const LlamaDefaults& defaults) {
    architecture.max_positions = config.size("max_position_embeddings", defaults.max_positions);
    architecture.norm_epsilon = config.number("rms_norm_eps", defaults.norm_epsilon);
    architecture.activation = read_activation(config, "hidden_act", "silu");
    architecture.ropes = {
        read_rope(config, architecture.head_dim,
                  {.theta = defaults.theta, .max_positions = architecture.max_positions})};
}

void read_qwen_windows(const ConfigReader& config, Architecture& architecture) {
    const bool windowed =
        config.flag("use_sliding_window", false) && !config.is_null("sliding_window");
    const int64_t window = config.size("sliding_window", 4096);
    const int64_t first = config.count("max_window_layers", 28);
    std::vector<bool> sliding(static_cast<size_t>(architecture.layers), false);
    for (int64_t i = first; i < architecture.layers && windowed; ++i)
        sliding[static_cast<size_t>(i)] = true;
    sliding = read_sliding_layers(config, sliding);
    if (!windowed && std::find(sliding.begin(), sliding.end(), true) != sliding.end())
        config.refuse("layer_types", "it has sliding layers, but no sliding window is in use");
    set_windows(architecture, sliding, window);
}

void read_gemma_settings(const ConfigReader& config, Architecture& architecture,
                         double attention_softcap, double logit_softcap) {
    architecture.norm = NormKind::rms_plus_one;
    architecture.norm_epsilon = config.number("rms_norm_eps", 1e-6);
    architecture.scaled_embeddings = true;
    architecture.activation = read_activation(config, "hidden_activation", "gelu_pytorch_tanh");
    const bool bias = config.flag("attention_bias", false);
    architecture.query_key_value_bias = bias;
    architecture.attention_output_bias = bias;
    config.refuse_unless("use_bidirectional_attention", nullptr,
                         "only causal attention is supported");
    const double scale = 1.0 / std::sqrt(config.number("query_pre_attn_scalar", 256));
    for (LayerSettings& layer : architecture.layer_settings) layer.attention_scale = scale;
    const auto cap = [&](const char* key, double fallback) {
        return config.is_null(key) ? 0.0 : config.has(key) ? config.number(key) : fallback;
    };
    architecture.attention_softcap = cap("attn_logit_softcapping", attention_softcap);
    architecture.logit_softcap = cap("final_logit_softcapping", logit_softcap);
}

ArchitectureLayout gemma_layout() {
    ArchitectureLayout layout;
    layout.keys.default_kv_heads = 4;
    layout.keys.default_head_dim = 256;
    layout.tied_by_default = true;
    layout.names.attention_post_norm = "post_attention_layernorm";
    layout.names.mlp_norm = "pre_feedforward_layernorm";
    layout.names.mlp_post_norm = "post_feedforward_layernorm";
    return layout;
}

}  // namespace galapagos
