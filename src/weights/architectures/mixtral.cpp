// Mixtral: Mistral with several MLPs a layer, of which a router chooses some for every token.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_llama_settings(config, architecture,
                        {.norm_epsilon = 1e-5, .theta = 1e6, .max_positions = 131072});
    architecture.experts = config.size("num_local_experts", config.size("num_experts", 8));
    architecture.experts_per_token = config.size("num_experts_per_tok", 2);
    if (architecture.experts_per_token > architecture.experts)
        config.refuse("num_experts_per_tok", "there are fewer experts");
    if (!config.has("sliding_window")) return;
    const std::vector<bool> all(static_cast<size_t>(architecture.layers), true);
    set_windows(architecture, all, config.size("sliding_window"));
}

}  // namespace

ArchitectureLayout mixtral_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"mixtral"};
    layout.keys.default_kv_heads = 8;
    TensorNames& names = layout.names;
    names.router = "block_sparse_moe.gate";
    names.experts = "block_sparse_moe.experts";
    names.gate = "w1";
    names.up = "w3";
    names.down = "w2";
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
