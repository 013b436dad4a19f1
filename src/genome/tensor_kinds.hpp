#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "genome/search_settings.hpp"

namespace galapagos {

/// The filter that picks the tensors of a kind in a recipe; empty for `rest`. As in mergekit, a
/// filter fits a tensor whose name contains it, and the first filter that fits counts.
std::string filter_of(ModuleKind kind);

/// The first of `kinds` whose filter fits the tensor, else `rest`.
ModuleKind kind_of(std::string_view tensor, const std::vector<ModuleKind>& kinds);

/// First layer of each of `groups` nearly equal groups, and `layers` at the end.
std::vector<int> equal_groups(int layers, int groups);

/// The group whose slice gives the tensor its parameters: that of its layer, the first for what
/// stands before the layers (embeddings), the last for what follows them (final norm, head).
/// `boundaries` are the first layers of the groups, and the number of layers at the end.
int group_of(std::string_view tensor, const std::vector<int>& boundaries);

}  // namespace galapagos
