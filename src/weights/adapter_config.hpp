// adapter_config.json of a PEFT LoRA adapter.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/adapter_targets.hpp"

namespace galapagos {

/// What the configuration says about an adapter that can be added to the weights once and for all.
class AdapterConfig {
  public:
    /// Reads the file. Throws Error that names the setting if the adapter is not plain LoRA: DoRA,
    /// biases, saved modules, token embeddings, initialisations that alter the base, and every
    /// unknown setting that is not null, false or empty.
    explicit AdapterConfig(const std::filesystem::path& path);

    const ModuleSelector& selector() const noexcept { return selector_; }
    /// Rank of the module's two matrices.
    int rank(std::string_view module) const;
    /// Factor of the product B A: alpha / rank, or alpha / sqrt(rank) with rank-stabilised scaling.
    double scaling(std::string_view module) const;

  private:
    using Overrides = std::vector<std::pair<ModulePattern, double>>;

    double rank_ = 0;
    double alpha_ = 0;
    bool rank_stabilised_ = false;
    Overrides rank_overrides_, alpha_overrides_;
    ModuleSelector selector_;
};

}  // namespace galapagos
