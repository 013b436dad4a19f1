// GPT-NeoX and Pythia: queries, keys and values of one matrix lie head by head, a quarter of a
// head is rotated, attention and MLP read the same state.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    architecture.max_positions = config.size("max_position_embeddings", 2048);
    architecture.norm = NormKind::layer;
    architecture.norm_epsilon = config.number("layer_norm_eps", 1e-5);
    architecture.activation = read_activation(config, "hidden_act", "gelu");
    const bool bias = config.flag("attention_bias", true);
    architecture.query_key_value_bias = bias;
    architecture.attention_output_bias = bias;
    architecture.mlp_bias = true;
    architecture.parallel_residual = config.flag("use_parallel_residual", true);
    architecture.ropes = {read_rope(config, architecture.head_dim,
                                    {.theta_key = "rotary_emb_base",
                                     .rotary_fraction = 0.25,
                                     .rotary_fraction_key = "rotary_pct",
                                     .may_rotate_part = true,
                                     .max_positions = architecture.max_positions})};
}

}  // namespace

ArchitectureLayout gpt_neox_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"gpt_neox"};
    layout.keys.kv_heads = layout.keys.heads;
    layout.keys.head_dim = {};
    layout.ignored_suffixes = {"rotary_emb.inv_freq", "attention.bias", "attention.masked_bias"};
    layout.query_key_value = QueryKeyValue::per_head;
    TensorNames& names = layout.names;
    names.embedding = "gpt_neox.embed_in";
    names.layers = "gpt_neox.layers";
    names.final_norm = "gpt_neox.final_layer_norm";
    names.head = "embed_out";
    names.query = names.key = names.value = {};
    names.query_key_value = "attention.query_key_value";
    names.attention_output = "attention.dense";
    names.gate = {};
    names.up = "mlp.dense_h_to_4h";
    names.down = "mlp.dense_4h_to_h";
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
