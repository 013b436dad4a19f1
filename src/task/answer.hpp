#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "task/pattern.hpp"
#include "task/script_rule.hpp"

namespace galapagos {

/// How the answer is found in a generated text and compared with the right one.
struct AnswerSettings {
    enum class Which { first, last };
    enum class Comparison { exact, numeric };
    enum class Trim { both, answer, none };  // of which white space at the ends is removed

    std::optional<Pattern> pattern;  // none: the whole text
    std::size_t group = 0;           // or Pattern::any_group
    Which which = Which::first;
    Comparison comparison = Comparison::exact;
    Trim trim = Trim::both;
    std::vector<Pattern> remove;  // from answer and target, one after the other, once trimmed
    bool ignore_case = false;     // letters A to Z, for exact comparison
    std::optional<ScriptRule> script;
};

/// Text without white space at its ends.
std::string_view trim(std::string_view text);

/// The answer in `text`, as it is compared; nothing if the pattern doesn't match.
std::optional<std::string> find_answer(std::string_view text, const AnswerSettings& settings);

/// The right answer as it is compared.
std::string target_to_compare(std::string_view target, const AnswerSettings& settings);

/// Whether `answer`, as found, is `target`, as written. A numeric comparison with something that is
/// no number is false.
bool is_right(std::string_view answer, std::string_view target, const AnswerSettings& settings);

}  // namespace galapagos
