// Qwen 3: every head of queries and keys is normalised before it is rotated.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_llama_settings(config, architecture, {.max_positions = 32768});
    const bool bias = config.flag("attention_bias", false);
    architecture.query_key_value_bias = bias;
    architecture.attention_output_bias = bias;
    read_qwen_windows(config, architecture);
}

}  // namespace

ArchitectureLayout qwen3_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"qwen3"};
    layout.keys.default_kv_heads = 32;
    layout.keys.default_head_dim = 128;
    layout.names.query_norm = "self_attn.q_norm";
    layout.names.key_norm = "self_attn.k_norm";
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
