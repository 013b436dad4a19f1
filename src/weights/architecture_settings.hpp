// Pieces of config.json that several architectures share, for the files in architectures/.
#pragma once

#include <vector>

#include "weights/architecture.hpp"
#include "weights/config_reader.hpp"

namespace galapagos {

/// The activation that the key names. Throws Error for one that is not known.
Activation read_activation(const ConfigReader& config, const char* key, const char* fallback);

/// Which layers `layer_types` calls "sliding_attention"; `fallback` if the key is absent. Throws
/// Error for other types and for a list of another length.
std::vector<bool> read_sliding_layers(const ConfigReader& config, std::vector<bool> fallback);

/// Gives the chosen layers the window.
void set_windows(Architecture& architecture, const std::vector<bool>& sliding, int64_t window);

struct LlamaDefaults {
    double norm_epsilon = 1e-6;
    double theta = 10000.0;
    int64_t max_positions = 2048;
};

/// What Llama and its closest relatives have in common: RMS norms, activation, one rotary embedding
/// for all layers.
void read_llama_settings(const ConfigReader& config, Architecture& architecture,
                         const LlamaDefaults& defaults);

/// Qwen's windows: none unless `use_sliding_window`, then those of the later layers.
void read_qwen_windows(const ConfigReader& config, Architecture& architecture);

/// What Gemma 2 and 3 have in common: everything but rotary embeddings, windows, and the defaults
/// of the caps.
void read_gemma_settings(const ConfigReader& config, Architecture& architecture,
                         double attention_softcap, double logit_softcap);

/// The names and defaults that Gemma 2 and 3 have in common.
ArchitectureLayout gemma_layout();

}  // namespace galapagos
