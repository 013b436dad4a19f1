#include "task/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>

#include "base/error.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr std::uint32_t match_limit = 1'000'000;

struct MatchDataDeleter {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, MatchDataDeleter>;

struct MatchContextDeleter {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

std::string error_text(int code) {
    std::array<PCRE2_UCHAR, 256> buffer{};
    pcre2_get_error_message(code, buffer.data(), buffer.size());
    return reinterpret_cast<const char*>(buffer.data());
}

// A group that took no part has bounds of PCRE2_UNSET; \K can even put the end before the begin.
std::string_view group_in(std::string_view text, const PCRE2_SIZE* bounds, std::size_t group) {
    const PCRE2_SIZE begin = bounds[2 * group];
    const PCRE2_SIZE end = bounds[2 * group + 1];
    return begin != PCRE2_UNSET && begin <= end ? text.substr(begin, end - begin)
                                                : std::string_view();
}

}  // namespace

struct Pattern::Code {
    explicit Code(const std::string& pattern) {
        int error = 0;
        PCRE2_SIZE offset = 0;
        code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                             PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
        if (code == nullptr) {
            throw UsageError("can't read the pattern \"" + pattern + "\"",
                             error_text(error) + " at offset " + std::to_string(offset),
                             "patterns are PCRE2's");
        }
        context.reset(pcre2_match_context_create(nullptr));
        if (!context) {
            throw std::bad_alloc();
        }
        pcre2_set_match_limit(context.get(), match_limit);
    }
    Code(const Code&) = delete;
    Code& operator=(const Code&) = delete;
    ~Code() { pcre2_code_free(code); }

    pcre2_code* code = nullptr;
    std::unique_ptr<pcre2_match_context, MatchContextDeleter> context;
};

Pattern::Pattern(const std::string& pattern) : code_(std::make_shared<const Code>(pattern)) {
    std::uint32_t groups = 0;
    pcre2_pattern_info(code_->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    group_count_ = groups;
}

std::optional<Pattern::Match> Pattern::find(std::string_view text, std::size_t offset,
                                            std::size_t group) const {
    const MatchData data(pcre2_match_data_create_from_pattern(code_->code, nullptr));
    if (!data) {
        throw std::bad_alloc();
    }
    // The search at offset 0 has checked the text.
    const std::uint32_t options = offset > 0 ? PCRE2_NO_UTF_CHECK : 0;
    const int matched = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                    text.size(), offset, options, data.get(), code_->context.get());
    if (matched < 0) {
        return std::nullopt;
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    Match match{bounds[0], bounds[1], {}};
    if (group != any_group) {
        match.group = group_in(text, bounds, group);
        return match;
    }
    for (std::size_t i = 1; i <= group_count_ && match.group.empty(); ++i) {
        match.group = group_in(text, bounds, i);
    }
    return match;
}

std::optional<std::string_view> Pattern::first(std::string_view text, std::size_t group) const {
    const std::optional<Match> match = find(text, 0, group);
    return match ? std::optional(match->group) : std::nullopt;
}

void Pattern::walk(std::string_view text, std::size_t group,
                   const std::function<void(std::string_view)>& visit) const {
    std::size_t offset = 0;
    while (const std::optional<Match> match = find(text, offset, group)) {
        visit(match->group);
        const std::size_t end = std::max(match->end, offset);
        if (end >= text.size()) {
            break;
        }
        // After an empty match the search goes on one character later, or it would stay for ever.
        offset = match->end > match->begin ? end : end + code_point_at(text, end).size;
    }
}

std::optional<std::string_view> Pattern::last(std::string_view text, std::size_t group) const {
    std::optional<std::string_view> found;
    walk(text, group, [&](std::string_view match) { found = match; });
    return found;
}

std::string Pattern::remove_from(std::string_view text) const {
    std::string rest(text.size() + 1, '\0');  // and PCRE2's closing zero
    PCRE2_SIZE size = rest.size();
    const int replaced = pcre2_substitute(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                          text.size(), 0, PCRE2_SUBSTITUTE_GLOBAL, nullptr,
                                          code_->context.get(), reinterpret_cast<PCRE2_SPTR>(""), 0,
                                          reinterpret_cast<PCRE2_UCHAR*>(rest.data()), &size);
    return replaced < 0 ? std::string(text) : rest.substr(0, size);
}

std::size_t Pattern::count(std::string_view text) const {
    std::size_t matches = 0;
    walk(text, 0, [&](std::string_view) { ++matches; });
    return matches;
}

}  // namespace galapagos
