#include "task/answer.hpp"

#include <algorithm>

#include "task/decimal.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

std::string without_removed(std::string_view text, const AnswerSettings& settings) {
    std::string rest(text);
    for (const Pattern& pattern : settings.remove) {
        rest = pattern.remove_from(rest);
    }
    return rest;
}

}  // namespace

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_python_space(code_point_at(text, 0).value)) {
        text.remove_prefix(code_point_at(text, 0).size);
    }
    while (!text.empty() && is_python_space(code_point_before(text, text.size()).value)) {
        text.remove_suffix(code_point_before(text, text.size()).size);
    }
    return text;
}

std::optional<std::string> find_answer(std::string_view text, const AnswerSettings& settings) {
    std::optional<std::string_view> found = text;
    if (settings.pattern) {
        found = settings.which == AnswerSettings::Which::first
                    ? settings.pattern->first(text, settings.group)
                    : settings.pattern->last(text, settings.group);
    }
    if (!found) {
        return std::nullopt;
    }
    const bool trimmed = settings.trim != AnswerSettings::Trim::none;
    return without_removed(trimmed ? trim(*found) : *found, settings);
}

std::string target_to_compare(std::string_view target, const AnswerSettings& settings) {
    const bool trimmed = settings.trim == AnswerSettings::Trim::both;
    return without_removed(trimmed ? trim(target) : target, settings);
}

bool is_right(std::string_view answer, std::string_view target, const AnswerSettings& settings) {
    const std::string right = target_to_compare(target, settings);
    if (settings.comparison == AnswerSettings::Comparison::numeric) {
        const std::optional<Decimal> number = parse_decimal(answer);
        return number && number == parse_decimal(right);
    }
    return settings.ignore_case ? equal_ignoring_case(answer, right) : answer == right;
}

}  // namespace galapagos
