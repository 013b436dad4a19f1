// Llama 2 and 3, and what is shaped like them.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_llama_settings(config, architecture, {});
    const bool bias = config.flag("attention_bias", false);
    architecture.query_key_value_bias = bias;
    architecture.attention_output_bias = bias;
    architecture.mlp_bias = config.flag("mlp_bias", false);
}

}  // namespace

ArchitectureLayout llama_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"llama"};
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
