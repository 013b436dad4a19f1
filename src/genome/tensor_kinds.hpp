#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "genome/search_settings.hpp"

namespace galapagos {

/// The filters that pick the tensors of a kind in a recipe: those that occur in a model with these
/// tensors, at least one; empty text for `rest`. As in mergekit, a filter fits a tensor whose name
/// contains it, and the first filter that fits counts.
std::vector<std::string> filters_of(ModuleKind kind, const std::vector<std::string>& tensors);

/// The first of `kinds` of which a filter fits the tensor, else `rest`.
ModuleKind kind_of(std::string_view tensor, const std::vector<ModuleKind>& kinds);

/// The first part between dots that is a number: 12 in "model.layers.12.mlp.up_proj.weight".
std::optional<int> layer_of(std::string_view tensor);

/// First layer of each of `groups` nearly equal groups, and `layers` at the end.
std::vector<int> equal_groups(int layers, int groups);

/// The group whose slice gives the tensor its parameters: that of its layer, the first for what
/// stands before the layers (embeddings), the last for what follows them (final norm, head).
/// `boundaries` are the first layers of the groups, and the number of layers at the end.
int group_of(std::string_view tensor, const std::vector<int>& boundaries);

}  // namespace galapagos
