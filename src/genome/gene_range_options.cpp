#include "genome/gene_range_options.hpp"

#include <fmt/format.h>

namespace galapagos {

namespace {

const std::vector<std::string> parameter_names = {"weight", "density",     "t", "gamma", "epsilon",
                                                  "scale",  "select_topk", "r", "alpha"};

YAML::Node number_node(double value) { return YAML::Node(fmt::format("{}", value)); }

/// Bounds that the merge methods set, whatever the search would like.
void check_meaning(const YamlReader& reader, const std::string& parameter, const GeneRange& range) {
    const bool share = parameter == "density" || parameter == "t" || parameter == "gamma" ||
                       parameter == "select_topk";
    if (share && (range.lower < 0.0 || range.upper > 1.0)) {
        reader.fail(parameter + " lies between 0 and 1");
    }
}

}  // namespace

GeneRange default_range(const std::string& parameter) {
    // A density near 0 drops whole tensors.
    if (parameter == "density" || parameter == "select_topk") return {0.05, 1.0, 0.5};
    if (parameter == "gamma") return {0.0, 0.1, 0.01};
    if (parameter == "epsilon") return {0.0, 0.3, 0.15};
    if (parameter == "scale") return {0.5, 1.5, 1.0};
    if (parameter == "r") return {0.0, 1.0, 0.1};
    if (parameter == "alpha") return {0.0, 2.0, 0.2};
    // The setting of the papers: [0, 1] from 0.5.
    return {0.0, 1.0, 0.5};
}

GeneRange read_range(const YamlReader& reader, GeneRange range) {
    if (reader.is_scalar()) {
        return GeneRange::fixed_at(reader.as_double());
    }
    reader.allow_only({"fixed", "lower", "upper", "initial"});
    if (const auto fixed = reader.find("fixed")) {
        if (reader.keys().size() > 1) {
            reader.fail("a fixed value has no bounds", "leave out either `fixed` or the others");
        }
        return GeneRange::fixed_at(fixed->as_double());
    }
    const auto lower = reader.find("lower");
    const auto upper = reader.find("upper");
    const auto initial = reader.find("initial");
    range.lower = lower ? lower->as_double() : range.lower;
    range.upper = upper ? upper->as_double() : range.upper;
    range.fixed = false;
    if (!(range.lower < range.upper)) {
        reader.fail(fmt::format("the lower bound {} is not below the upper bound {}", range.lower,
                                range.upper),
                    "use `fixed` for a value that isn't searched");
    }
    if (initial) {
        range.initial = initial->as_double();
    } else if (lower || upper) {
        range.initial = 0.5 * (range.lower + range.upper);
    }
    if (range.initial < range.lower || range.initial > range.upper) {
        (initial ? *initial : reader)
            .fail(fmt::format("the initial value {} is outside [{}, {}]", range.initial,
                              range.lower, range.upper));
    }
    return range;
}

YAML::Node write_range(const GeneRange& range) {
    YAML::Node node(YAML::NodeType::Map);
    if (range.fixed) {
        node["fixed"] = number_node(range.initial);
    } else {
        node["lower"] = number_node(range.lower);
        node["upper"] = number_node(range.upper);
        node["initial"] = number_node(range.initial);
    }
    return node;
}

const nlohmann::ordered_json& range_schema() {
    static const nlohmann::ordered_json schema = {
        {"oneOf",
         {{{"type", "number"}},
          {{"type", "object"},
           {"additionalProperties", false},
           {"required", {"fixed"}},
           {"properties", {{"fixed", {{"type", "number"}}}}}},
          {{"type", "object"},
           {"additionalProperties", false},
           {"properties",
            {{"lower", {{"type", "number"}}},
             {"upper", {{"type", "number"}}},
             {"initial", {{"type", "number"}}}}}}}}};
    return schema;
}

GeneRanges read_ranges(const YamlReader& reader, const GeneRanges& defaults) {
    reader.allow_only(parameter_names);
    GeneRanges ranges;
    for (const std::string& parameter : reader.keys()) {
        const auto known = defaults.find(parameter);
        const GeneRange start = known == defaults.end() ? default_range(parameter) : known->second;
        const YamlReader entry = reader.at(parameter);
        ranges[parameter] = read_range(entry, start);
        check_meaning(entry, parameter, ranges[parameter]);
    }
    return ranges;
}

YAML::Node write_ranges(const GeneRanges& ranges) {
    YAML::Node node(YAML::NodeType::Map);
    for (const auto& [parameter, range] : ranges) {
        node[parameter] = write_range(range);
    }
    return node;
}

nlohmann::ordered_json ranges_schema() {
    nlohmann::ordered_json properties = nlohmann::ordered_json::object();
    for (const std::string& parameter : parameter_names) {
        properties[parameter] = range_schema();
    }
    return {{"type", "object"}, {"additionalProperties", false}, {"properties", properties}};
}

}  // namespace galapagos
