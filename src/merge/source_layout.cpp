#include "merge/source_layout.hpp"

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "merge/recipe.hpp"

namespace galapagos {

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool is_embedding(std::string_view name) {
    for (const char* part : {"embed_tokens", "embed_in", "embeddings", "wte.", "wpe."})
        if (contains(name, part)) return true;
    return false;
}

bool is_computed_buffer(std::string_view name) {
    for (const char* ending : {"rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias",
                               ".attention.bias", ".attention.masked_bias"})
        if (name.ends_with(ending)) return true;
    return false;
}

bool equally_deep(const std::vector<std::shared_ptr<const Source>>& sources) {
    return std::all_of(sources.begin(), sources.end(), [&](const auto& source) {
        return lay_out(*source).layer_count() == lay_out(*sources.front()).layer_count();
    });
}

}  // namespace

std::optional<LayerName> parse_layer_name(std::string_view name) {
    std::size_t begin = 0;
    while (begin < name.size()) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        std::int64_t number = 0;
        const auto [stop, status] = std::from_chars(name.data() + begin, name.data() + end, number);
        if (status == std::errc() && stop == name.data() + end && number >= 0)
            return LayerName{std::string(name.substr(0, begin)), number,
                             std::string(name.substr(end))};
        begin = end + 1;
    }
    return std::nullopt;
}

std::string SourceLayout::tensor_name(std::int64_t layer, std::string_view suffix) const {
    std::string name = prefix + std::to_string(layer);
    name += suffix;
    return name;
}

std::vector<std::string> SourceLayout::tensor_names() const {
    std::vector<std::string> names = before;
    for (std::int64_t layer = 0; layer < layer_count(); ++layer)
        for (const std::string& suffix : layers[static_cast<std::size_t>(layer)])
            names.push_back(tensor_name(layer, suffix));
    names.insert(names.end(), after.begin(), after.end());
    return names;
}

SourceLayout lay_out(const Source& source) {
    constexpr std::int64_t most_layers = 100'000;
    const std::string what = "source '" + source.name() + "' can't be merged";
    SourceLayout layout;
    for (const std::string& name : source.tensor_names()) {
        if (is_computed_buffer(name)) continue;
        const auto place = parse_layer_name(name);
        if (!place) {
            (is_embedding(name) ? layout.before : layout.after).push_back(name);
            continue;
        }
        if (layout.prefix.empty()) layout.prefix = place->prefix;
        if (layout.prefix != place->prefix || place->layer >= most_layers)
            throw Error(what, "tensor '" + name + "' is in no run of layers called '" +
                                  layout.prefix + "N'");
        const auto layer = static_cast<std::size_t>(place->layer);
        if (layout.layers.size() <= layer) layout.layers.resize(layer + 1);
        layout.layers[layer].push_back(place->suffix);
    }
    for (std::size_t layer = 0; layer < layout.layers.size(); ++layer) {
        if (layout.layers[layer].empty())
            throw Error(what, "layer " + std::to_string(layer) + " has no tensors");
        std::sort(layout.layers[layer].begin(), layout.layers[layer].end());
    }
    return layout;
}

void check_sources(const Recipe& recipe,
                   const std::vector<std::shared_ptr<const Source>>& sources) {
    const bool vocabularies_differ = recipe.tokenizer || recipe.layer_path;
    if (equally_deep(sources))
        check_compatible(sources,
                         vocabularies_differ ? Vocabularies::may_differ : Vocabularies::same);
}

}  // namespace galapagos
