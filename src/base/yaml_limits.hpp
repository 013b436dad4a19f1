#pragma once

#include <string>

namespace galapagos {

/// Refuses a YAML text that would cost more than it can be worth, before a tree is built of it:
/// nested deeper than 64 levels, more than 100,000 nodes once its aliases are followed (an "alias
/// bomb"), an alias within what it names, or a second document. Throws UsageError that names
/// `origin` and line; syntax errors are YAML::Exceptions.
void check_yaml_limits(const std::string& text, const std::string& origin);

}  // namespace galapagos
