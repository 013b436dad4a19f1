// Keys that a recipe hasn't: misspelt ones, those of other tools, and other files altogether.
#pragma once

#include <string>
#include <vector>

#include "base/yaml.hpp"

namespace galapagos {

/// Refuses a map with another key than these. mergekit passes over such a key, so that a misspelt
/// one counts for nothing; the message says how to get that.
void allow_recipe_keys(const YamlReader& reader, const std::vector<std::string>& names);

/// Refuses a file that people take for a recipe, and says what it is for.
void refuse_other_files(const YamlReader& root);

}  // namespace galapagos
