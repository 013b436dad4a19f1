#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "task/pattern.hpp"
#include "task/script_rule.hpp"

namespace galapagos {

/// How the answer is found in a generated text and compared with the right one.
struct AnswerSettings {
    enum class Which { first, last };
    enum class Comparison { exact, numeric };

    std::optional<Pattern> pattern;  // none: the whole text
    std::size_t group = 0;
    Which which = Which::first;
    Comparison comparison = Comparison::exact;
    bool ignore_case = false;  // letters A to Z, for exact comparison
    std::optional<ScriptRule> script;
};

/// Text without white space at its ends.
std::string_view trim(std::string_view text);

/// The answer in `text`, without white space at its ends; nothing if the pattern doesn't match.
std::optional<std::string> find_answer(std::string_view text, const AnswerSettings& settings);

/// Whether `answer` is `target`. A numeric comparison with something that is no number is false.
bool is_right(std::string_view answer, std::string_view target, const AnswerSettings& settings);

}  // namespace galapagos
