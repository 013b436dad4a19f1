// Which modules of a model a PEFT configuration selects, by PEFT's own rules.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// A regular expression as PEFT uses them: Python's syntax, as far as PCRE2 shares it.
class ModulePattern {
  public:
    /// `origin` (file and key) starts the message of the Error that a malformed expression raises.
    ModulePattern(const std::string& expression, const std::string& origin);

    /// The whole text matches (Python's re.fullmatch).
    bool matches_all(std::string_view text) const;
    /// The text begins with a match (re.match); gives the group named "idx" as a number.
    std::optional<int> leading_index(std::string_view text) const;

  private:
    bool match(std::string_view text, unsigned options, std::string* index) const;

    std::shared_ptr<const void> code_;
    std::string origin_;
};

/// A list of names, each standing for a module or for the end of its dotted path; or one expression
/// for the whole path.
class ModuleList {
  public:
    ModuleList() = default;
    explicit ModuleList(std::vector<std::string> names) : names_(std::move(names)) {}
    explicit ModuleList(ModulePattern pattern) : pattern_(std::move(pattern)) {}

    bool empty() const noexcept { return !pattern_ && names_.empty(); }
    bool is_pattern() const noexcept { return pattern_.has_value(); }
    bool contains(std::string_view module) const;

  private:
    std::vector<std::string> names_;
    std::optional<ModulePattern> pattern_;
};

/// PEFT's choice of modules.
struct ModuleSelector {
    ModuleList targets;
    bool all_linear = false;  ///< every linear module but the output head
    ModuleList excluded;
    std::optional<std::vector<int>> layers;     ///< only in these layers
    std::vector<ModulePattern> layer_patterns;  ///< how a layer's number is found in a path

    /// True if the linear module at this dotted path is selected.
    bool selects(std::string_view module, bool is_output_head) const;

  private:
    bool in_chosen_layer(std::string_view module) const;
};

}  // namespace galapagos
