#include "tokenizer/normalizer.hpp"

#include <algorithm>
#include <utility>

#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

std::string apply_step(NormalForm form, std::string text) {
    return is_surely_normalized(text, form) ? text : normalize_unicode(text, form);
}

std::string apply_step(const Normalizer::Replace& replace, std::string text) {
    return replace.apply(std::move(text));
}

std::string apply_step(const Normalizer::Prepend& prepend, std::string text) {
    return text.empty() ? text : text.insert(0, prepend.content);
}

std::string apply_step(const Normalizer::Strip& strip, std::string text) {
    std::size_t begin = 0;
    std::size_t end = text.size();
    while (strip.left && begin < end) {
        const CodePoint point = code_point_at(text, begin);
        if (!is_white_space(point.value)) {
            break;
        }
        begin += point.size;
    }
    while (strip.right && begin < end) {
        const CodePoint point = code_point_before(text, end);
        if (!is_white_space(point.value)) {
            break;
        }
        end -= point.size;
    }
    return text.substr(begin, end - begin);
}

bool is_one_character(std::string_view text) { return count_code_points(text) == 1; }

}  // namespace

std::string Normalizer::Replace::apply(std::string text) const {
    std::size_t found = text.find(pattern);
    if (found == std::string::npos) {
        return text;
    }
    std::string result;
    result.reserve(text.size() + text.size() / 4);
    std::size_t done = 0;
    while (found != std::string::npos) {
        result.append(text, done, found - done).append(content);
        done = found + pattern.size();
        found = text.find(pattern, done);
    }
    return result.append(text, done, std::string::npos);
}

std::string Normalizer::apply(std::string_view text) const {
    std::string result(text);
    for (const Step& step : steps_) {
        result = std::visit([&](const auto& s) { return apply_step(s, std::move(result)); }, step);
    }
    return result;
}

bool Normalizer::keeps_track_of_origin() const {
    return std::all_of(steps_.begin(), steps_.end(), [](const Step& step) {
        const auto* replace = std::get_if<Replace>(&step);
        return std::holds_alternative<Prepend>(step) ||
               (replace != nullptr && is_one_character(replace->pattern));
    });
}

std::size_t Normalizer::bytes_from_first_character(std::string_view text) const {
    return text.empty() ? 0 : apply(text.substr(0, code_point_at(text, 0).size)).size();
}

}  // namespace galapagos
