#pragma once

#include "genome/search_settings.hpp"

namespace galapagos {

/// A range as the config writes it: a number, {fixed: ...} or {lower, upper, initial}. What is left
/// out keeps the value it has in `range`, but `initial` becomes the middle of new bounds.
GeneRange read_range(const YamlReader& reader, GeneRange range);
YAML::Node write_range(const GeneRange& range);
const nlohmann::ordered_json& range_schema();

/// A map from parameter names to ranges; parameters not mentioned keep those of `defaults`, or the
/// built-in ones.
GeneRanges read_ranges(const YamlReader& reader, const GeneRanges& defaults);
YAML::Node write_ranges(const GeneRanges& ranges);
nlohmann::ordered_json ranges_schema();

}  // namespace galapagos
