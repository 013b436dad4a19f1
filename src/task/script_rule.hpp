#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "task/pattern.hpp"

namespace galapagos {

/// Demands that a share of a text's letters belongs to given Unicode scripts (by Script_Extensions,
/// so that ー is Hiragana and Katakana). A simple stand-in for language identification, which it
/// can't replace between languages of one script.
class ScriptRule {
  public:
    /// `share` lies in (0, 1]. Throws UsageError for a script that Unicode doesn't know.
    ScriptRule(const std::vector<std::string>& scripts, double share);

    /// False for a text without letters.
    bool holds_for(std::string_view text) const;

  private:
    Pattern letters_;
    Pattern letters_of_scripts_;
    double share_;
};

}  // namespace galapagos
