#include "weights/adapter_targets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {
namespace {

constexpr std::uint32_t match_limit = 1'000'000;

std::string pcre2_message(int code) {
    std::string text(256, '\0');
    const int length =
        pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
    text.resize(static_cast<std::size_t>(std::max(length, 0)));
    return text;
}

}  // namespace

ModulePattern::ModulePattern(const std::string& expression, const std::string& origin)
    : origin_(origin) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()),
                                         expression.size(), PCRE2_UTF, &code, &offset, nullptr);
    if (compiled == nullptr) {
        throw Error(fmt::format("{}: bad regular expression '{}'", origin, expression),
                    fmt::format("at character {}: {}", offset, pcre2_message(code)));
    }
    code_ = std::shared_ptr<const void>(compiled,
                                        [compiled](const void*) { pcre2_code_free(compiled); });
}

bool ModulePattern::match(std::string_view text, unsigned options, std::string* index) const {
    const auto* code = static_cast<const pcre2_code*>(code_.get());
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
        pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free);
    const std::unique_ptr<pcre2_match_context, void (*)(pcre2_match_context*)> context(
        pcre2_match_context_create(nullptr), pcre2_match_context_free);
    pcre2_set_match_limit(context.get(), match_limit);
    const int status = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                                   PCRE2_ANCHORED | options, data.get(), context.get());
    if (status == PCRE2_ERROR_NOMATCH) return false;
    if (status < 0) {
        throw Error(origin_ + ": the regular expression can't be matched", pcre2_message(status));
    }
    if (index != nullptr) {
        PCRE2_UCHAR* found = nullptr;
        PCRE2_SIZE length = 0;
        if (pcre2_substring_get_byname(data.get(), reinterpret_cast<PCRE2_SPTR>("idx"), &found,
                                       &length) == 0) {
            index->assign(reinterpret_cast<const char*>(found), length);
            pcre2_substring_free(found);
        }
    }
    return true;
}

bool ModulePattern::matches_all(std::string_view text) const {
    return match(text, PCRE2_ENDANCHORED, nullptr);
}

std::optional<int> ModulePattern::leading_index(std::string_view text) const {
    std::string digits;
    if (!match(text, 0, &digits)) return std::nullopt;
    int value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec != std::errc{} || result.ptr != digits.data() + digits.size())
        return std::nullopt;
    return value;
}

bool ModuleList::contains(std::string_view module) const {
    if (pattern_) return pattern_->matches_all(module);
    return std::any_of(names_.begin(), names_.end(),
                       [&](const auto& name) { return ends_with_component(module, name); });
}

bool ModuleSelector::in_chosen_layer(std::string_view module) const {
    if (!layers) return true;
    for (const auto& pattern : layer_patterns) {
        if (const auto layer = pattern.leading_index(module)) {
            return std::find(layers->begin(), layers->end(), *layer) != layers->end();
        }
    }
    return false;
}

bool ModuleSelector::selects(std::string_view module, bool is_output_head) const {
    if (!excluded.empty() && excluded.contains(module)) return false;
    const bool targeted = all_linear ? !is_output_head : targets.contains(module);
    return targeted && in_chosen_layer(module);
}

}  // namespace galapagos
