#include "task/script_rule.hpp"

#include <algorithm>
#include <cstddef>

#include "base/error.hpp"

namespace galapagos {

namespace {

bool is_script_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    });
}

std::string letters_of(const std::vector<std::string>& scripts) {
    std::string alternatives;
    for (const std::string& script : scripts) {
        if (!is_script_name(script)) {
            throw UsageError("can't use the script \"" + script + "\"", "it isn't a name",
                             "names are those of Unicode: Hiragana, Han, Latin, Cyrillic");
        }
        alternatives += "\\p{scx:" + script + "}";
    }
    return "(?=\\p{L})[" + alternatives + "]";
}

}  // namespace

ScriptRule::ScriptRule(const std::vector<std::string>& scripts, double share)
    : letters_("\\p{L}"), letters_of_scripts_(letters_of(scripts)), share_(share) {}

bool ScriptRule::holds_for(std::string_view text) const {
    const auto letters = static_cast<double>(letters_.count(text));
    const auto of_scripts = static_cast<double>(letters_of_scripts_.count(text));
    return letters > 0 && of_scripts >= share_ * letters;
}

}  // namespace galapagos
