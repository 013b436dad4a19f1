// Gemma 3, text only: as Gemma 2, with normalised heads instead of capped scores. Layers with a
// window and layers without rotate by different angles.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

constexpr const char* sliding_type = "sliding_attention";
constexpr const char* full_type = "full_attention";

/// The rotary embedding of one type of layer. transformers 5 keeps an object for each in
/// `rope_parameters`; in older files `rope_scaling` is for full attention.
RopeSettings read_rope_of(const ConfigReader& config, const Architecture& architecture,
                          const char* type) {
    const bool full = type == full_type;
    RopeDefaults defaults{.theta = full ? config.number("rope_theta", 1e6)
                                        : config.number("rope_local_base_freq", 1e4),
                          .max_positions = architecture.max_positions};
    if (config.has("rope_parameters")) {
        const auto& parameters = config.at("rope_parameters");
        const bool nested = parameters.is_object() &&
                            (parameters.contains(sliding_type) || parameters.contains(full_type));
        if (!nested && !(parameters.is_object() && parameters.empty()))
            config.refuse("rope_parameters", "it must hold an object for each type of layer");
        const ConfigReader types(parameters, "key rope_parameters of " + config.origin());
        if (types.has(type) && !(full && config.has("rope_scaling")))
            return read_rope_object(config, ConfigReader(types.at(type), types.origin()),
                                    architecture.head_dim, defaults);
        if (full && config.has("rope_scaling"))
            config.refuse("rope_scaling", "rope_parameters is there too");
    }
    const auto nothing = nlohmann::json::object();
    const bool scaled = full && config.has("rope_scaling");
    return read_rope_object(
        config, ConfigReader(scaled ? config.at("rope_scaling") : nothing, config.origin()),
        architecture.head_dim, defaults);
}

/// Five layers with a window, then one without, unless the file says otherwise.
std::vector<bool> read_pattern(const ConfigReader& config, int64_t layers) {
    const char* key =
        config.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
    const auto period = static_cast<size_t>(config.size(key, 6));
    std::vector<bool> sliding(static_cast<size_t>(layers));
    for (size_t i = 0; i < sliding.size(); ++i) sliding[i] = (i + 1) % period != 0;
    return read_sliding_layers(config, sliding);
}

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_gemma_settings(config, architecture, 0.0, 0.0);
    architecture.attention_softcap = 0;  // transformers reads the key and leaves scores alone
    architecture.max_positions = config.size("max_position_embeddings", 131072);
    architecture.ropes = {read_rope_of(config, architecture, full_type),
                          read_rope_of(config, architecture, sliding_type)};
    const std::vector<bool> sliding = read_pattern(config, architecture.layers);
    if (config.is_null("sliding_window"))
        config.refuse("sliding_window", "the sliding layers need a window");
    set_windows(architecture, sliding, config.size("sliding_window", 4096));
    for (LayerSettings& layer : architecture.layer_settings) layer.rope = layer.window > 0 ? 1 : 0;
}

}  // namespace

ArchitectureLayout gemma3_architecture() {
    ArchitectureLayout layout = gemma_layout();
    layout.model_types = {"gemma3_text"};
    layout.names.query_norm = "self_attn.q_norm";
    layout.names.key_norm = "self_attn.k_norm";
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
