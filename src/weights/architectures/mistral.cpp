// Mistral 7B: Llama with a window in all layers (version 0.1) or in none.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_llama_settings(config, architecture, {.max_positions = 131072});
    if (config.is_null("sliding_window")) return;
    const std::vector<bool> all(static_cast<size_t>(architecture.layers), true);
    set_windows(architecture, all, config.size("sliding_window", 4096));
}

}  // namespace

ArchitectureLayout mistral_architecture() {
    ArchitectureLayout layout;
    layout.model_types = {"mistral"};
    layout.keys.default_kv_heads = 8;
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
