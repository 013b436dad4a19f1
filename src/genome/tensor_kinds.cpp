#include "genome/tensor_kinds.hpp"

#include <algorithm>
#include <charconv>

namespace galapagos {

namespace {

/// The architectures' names for a kind of module, Llama's first.
std::vector<std::string_view> all_filters_of(ModuleKind kind) {
    switch (kind) {
        case ModuleKind::attention:
            return {"self_attn", ".attn.", ".attention."};
        case ModuleKind::mlp:
            return {"mlp", "block_sparse_moe"};
        case ModuleKind::embeddings:
            return {"embed_tokens", "embed_in", ".wte.", ".wpe."};
        case ModuleKind::head:
            return {"lm_head", "embed_out"};
        case ModuleKind::norms:
            return {"norm", ".ln_"};
        case ModuleKind::rest:
            return {""};
    }
    return {""};
}

bool fits(std::string_view tensor, ModuleKind kind) {
    const auto filters = all_filters_of(kind);
    return std::any_of(filters.begin(), filters.end(), [&](std::string_view filter) {
        return tensor.find(filter) != std::string_view::npos;
    });
}

}  // namespace

std::optional<int> layer_of(std::string_view tensor) {
    while (!tensor.empty()) {
        const size_t dot = std::min(tensor.find('.'), tensor.size());
        int number = 0;
        const char* end = tensor.data() + dot;
        const auto [stop, problem] = std::from_chars(tensor.data(), end, number);
        if (problem == std::errc() && stop == end && dot > 0) {
            return number;
        }
        tensor.remove_prefix(std::min(dot + 1, tensor.size()));
    }
    return std::nullopt;
}

std::vector<std::string> filters_of(ModuleKind kind, const std::vector<std::string>& tensors) {
    std::vector<std::string> filters;
    for (const std::string_view filter : all_filters_of(kind)) {
        const bool used = std::any_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
            return tensor.find(filter) != std::string::npos;
        });
        if (used) {
            filters.emplace_back(filter);
        }
    }
    if (filters.empty()) {
        filters.emplace_back(all_filters_of(kind).front());
    }
    return filters;
}

ModuleKind kind_of(std::string_view tensor, const std::vector<ModuleKind>& kinds) {
    for (const ModuleKind kind : kinds) {
        if (kind != ModuleKind::rest && fits(tensor, kind)) {
            return kind;
        }
    }
    return ModuleKind::rest;
}

std::vector<int> equal_groups(int layers, int groups) {
    std::vector<int> boundaries;
    for (int group = 0; group <= groups; ++group) {
        boundaries.push_back(static_cast<int>(static_cast<long>(group) * layers / groups));
    }
    return boundaries;
}

int group_of(std::string_view tensor, const std::vector<int>& boundaries) {
    const int last = static_cast<int>(boundaries.size()) - 2;
    const auto layer = layer_of(tensor);
    if (!layer) {
        return fits(tensor, ModuleKind::embeddings) ? 0 : last;
    }
    const auto after = std::upper_bound(boundaries.begin(), boundaries.end(), *layer);
    return std::clamp(static_cast<int>(after - boundaries.begin()) - 1, 0, last);
}

}  // namespace galapagos
