// Phi-3, 3.5 and 4-mini: queries, keys and values in one matrix, gate and up in another; part of
// a head may be rotated, with the angles of LongRoPE.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    architecture.max_positions = config.size("max_position_embeddings", 4096);
    architecture.norm_epsilon = config.number("rms_norm_eps", 1e-5);
    architecture.activation = read_activation(config, "hidden_act", "silu");
    architecture.ropes = {read_rope(config, architecture.head_dim,
                                    {.may_rotate_part = true,
                                     .max_positions = architecture.max_positions,
                                     .original_max_positions = 4096})};
    const RopeSettings::Kind kind = architecture.ropes.front().kind;
    if (kind != RopeSettings::Kind::standard && kind != RopeSettings::Kind::longrope)
        config.refuse("rope_scaling", "Phi-3 knows no scaling but longrope");
    if (!config.has("sliding_window")) return;
    const std::vector<bool> all(static_cast<size_t>(architecture.layers), true);
    set_windows(architecture, all, config.size("sliding_window"));
}

}  // namespace

ArchitectureLayout phi3_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"phi3"};
    layout.query_key_value = QueryKeyValue::blocks;
    layout.names.query_key_value = "self_attn.qkv_proj";
    layout.names.query = layout.names.key = layout.names.value = {};
    layout.names.gate_up = "mlp.gate_up_proj";
    layout.names.gate = layout.names.up = {};
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
