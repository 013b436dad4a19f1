#include "merge/layer_path.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/nearest.hpp"
#include "merge/recipe_reading.hpp"

namespace galapagos {

namespace {

ScaleRule read_rule(const YamlReader& reader) {
    const std::string name = reader.as_string();
    if (name == "branch") return ScaleRule::branch;
    if (name == "stream") return ScaleRule::stream;
    reader.fail(fmt::format("unknown scale rule '{}'", name),
                name_hint(name, std::vector<std::string>{"branch", "stream"}));
}

double read_scale(const YamlReader& reader) {
    const double scale = reader.as_double();
    if (!std::isfinite(static_cast<float>(scale))) reader.fail("the scale is too large");
    return scale;
}

Range read_layers(const YamlReader& reader) {
    if (reader.has("layer") == reader.has("layer_range"))
        reader.fail("a hop has either 'layer' or 'layer_range'",
                    "layer: 7, or layer_range: [first, end) for one hop a layer");
    if (const auto range = reader.find("layer_range")) return read_layer_range(*range);
    const YamlReader layer = reader.at("layer");
    const std::int64_t number = layer.as_int();
    constexpr std::int64_t most_layers = 1'000'000;
    if (number < 0 || number >= most_layers)
        layer.fail("there is no such layer", "layers count from 0");
    return {number, number + 1};
}

void read_hops(const YamlReader& reader, std::vector<PathHop>& hops) {
    reader.allow_only({"model", "layer", "layer_range", "scale"});
    const std::string model = read_model_reference(reader.at("model"));
    const Range layers = read_layers(reader);
    const auto scale = reader.find("scale");
    if (static_cast<std::size_t>(layers.size()) > most_hops - hops.size())
        reader.fail(fmt::format("the path has more than {} hops", most_hops));
    for (std::int64_t layer = layers.begin; layer < layers.end; ++layer)
        hops.push_back({{model, layer}, scale ? read_scale(*scale) : 1});
}

}  // namespace

LayerPath read_layer_path(const YamlReader& reader) {
    reader.allow_only({"scale_rule", "hops"});
    LayerPath path;
    if (const auto rule = reader.find("scale_rule")) path.rule = read_rule(*rule);
    for (const YamlReader& hop : reader.at("hops").elements()) read_hops(hop, path.hops);
    if (path.hops.empty()) reader.at("hops").fail("no hops are listed");
    return path;
}

}  // namespace galapagos
