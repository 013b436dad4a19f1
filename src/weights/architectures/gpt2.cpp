// GPT-2: learned positions, layer norms, biases, no gate; matrices are stored [in, out].
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    architecture.max_positions = config.size("n_positions", 1024);
    architecture.norm = NormKind::layer;
    architecture.norm_epsilon = config.number("layer_norm_epsilon", 1e-5);
    architecture.activation = read_activation(config, "activation_function", "gelu_new");
    architecture.query_key_value_bias = true;
    architecture.attention_output_bias = true;
    architecture.mlp_bias = true;
    const bool scaled = config.flag("scale_attn_weights", true);
    const bool by_layer = config.flag("scale_attn_by_inverse_layer_idx", false);
    for (size_t i = 0; i < architecture.layer_settings.size(); ++i) {
        LayerSettings& layer = architecture.layer_settings[i];
        layer.rope = -1;
        if (!scaled) layer.attention_scale = 1;
        if (by_layer) layer.attention_scale /= static_cast<double>(i + 1);
    }
}

}  // namespace

ArchitectureLayout gpt2_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"gpt2"};
    layout.keys = {.hidden = "n_embd",
                   .heads = "n_head",
                   .kv_heads = "n_head",
                   .head_dim = {},
                   .intermediate = "n_inner",
                   .vocab = "vocab_size",
                   .layers = "n_layer"};
    layout.intermediate_factor = 4;
    layout.tied_by_default = true;
    layout.transposed_linears = true;
    layout.outer_prefix = "transformer.";
    layout.ignored_suffixes = {"attn.bias", "attn.masked_bias"};
    layout.query_key_value = QueryKeyValue::blocks;
    TensorNames& names = layout.names;
    names.embedding = "transformer.wte";
    names.positions = "transformer.wpe";
    names.layers = "transformer.h";
    names.final_norm = "transformer.ln_f";
    names.attention_norm = "ln_1";
    names.query = names.key = names.value = {};
    names.query_key_value = "attn.c_attn";
    names.attention_output = "attn.c_proj";
    names.mlp_norm = "ln_2";
    names.gate = {};
    names.up = "mlp.c_fc";
    names.down = "mlp.c_proj";
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
