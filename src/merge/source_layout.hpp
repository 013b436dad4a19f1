// How the tensors of a source fall into layers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weights/source.hpp"

namespace galapagos {

struct Recipe;

/// A tensor's place: the number in "model.layers.7.mlp.up_proj.weight" is its layer.
struct LayerName {
    std::string prefix;  ///< "model.layers."
    std::int64_t layer = 0;
    std::string suffix;  ///< ".mlp.up_proj.weight"
};

/// Takes the first part of the name that is a number for the layer; nothing if there is none.
std::optional<LayerName> parse_layer_name(std::string_view name);

/// The tensors of one source, by layer.
struct SourceLayout {
    std::vector<std::string> before;               ///< embeddings
    std::string prefix;                            ///< of all layers
    std::vector<std::vector<std::string>> layers;  ///< each layer's suffixes, sorted
    std::vector<std::string> after;                ///< final norm, output head

    std::int64_t layer_count() const noexcept { return static_cast<std::int64_t>(layers.size()); }
    std::string tensor_name(std::int64_t layer, std::string_view suffix) const;
    /// All tensors, layer by layer.
    std::vector<std::string> tensor_names() const;
};

/// Leaves out buffers that are computed from the config (rotary frequencies, attention masks).
/// Throws Error if layers are missing or stand under several prefixes.
SourceLayout lay_out(const Source& source);

/// What check_compatible throws for models that the recipe can't combine. Stacks and layer paths
/// may take models of different depths, whose layers the plan compares; a layer path, which takes
/// one model's embeddings, and a recipe that sets a tokenizer may take different vocabularies.
void check_sources(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources);

}  // namespace galapagos
