// Qwen 2 and 2.5: biases of queries, keys and values; windows in the later layers.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_llama_settings(config, architecture, {.max_positions = 32768});
    architecture.query_key_value_bias = true;
    read_qwen_windows(config, architecture);
}

}  // namespace

ArchitectureLayout qwen2_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"qwen2"};
    layout.keys.default_kv_heads = 32;
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
