// Gemma 2: norms before and after attention and MLP, capped scores and logits, every other layer
// with a window.
#include "weights/architecture_list.hpp"
#include "weights/architecture_settings.hpp"

namespace galapagos {
namespace {

void read_settings(const ConfigReader& config, Architecture& architecture) {
    read_gemma_settings(config, architecture, 50.0, 30.0);
    architecture.max_positions = config.size("max_position_embeddings", 8192);
    architecture.ropes = {
        read_rope(config, architecture.head_dim, {.max_positions = architecture.max_positions})};
    std::vector<bool> sliding(static_cast<size_t>(architecture.layers));
    for (size_t i = 0; i < sliding.size(); ++i) sliding[i] = i % 2 == 0;
    if (config.is_null("sliding_window"))
        config.refuse("sliding_window", "every other layer needs a window");
    set_windows(architecture, read_sliding_layers(config, sliding),
                config.size("sliding_window", 4096));
}

}  // namespace

ArchitectureLayout gemma2_architecture() {
    ArchitectureLayout layout = gemma_layout();
    layout.model_types = {"gemma2"};
    layout.read_settings = read_settings;
    return layout;
}

}  // namespace galapagos
