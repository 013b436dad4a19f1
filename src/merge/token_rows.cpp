#include "merge/token_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace galapagos {

namespace {

[[noreturn]] void refuse(const std::string& token, const std::string& why) {
    throw UsageError(fmt::format("recipe refused: embedding of token '{}'", token), why);
}

}  // namespace

TokenRows::TokenRows(const TokenizerSetting& setting, const MergedVocabulary& vocabulary,
                     const SourceIndex& index, std::vector<std::size_t> merged,
                     std::optional<std::size_t> base)
    : vocabulary_(vocabulary), index_(index), merged_(std::move(merged)), base_(base) {
    for (const TokenSetting& token : setting.tokens) settings_.emplace(token.token, token);
    const std::size_t count = vocabulary.tokens.size();
    forced_.resize(count);
    substitutes_.resize(count);
    for (std::size_t token = 0; token < count; ++token) {
        const auto own = settings_.find(vocabulary.tokens[token]);
        forced_[token] = own != settings_.end() && own->second.force;
        if (!forced_[token] && owners(token).size() == merged_.size()) continue;
        substitutes_[token] = substitute(token);
        has_means_ = has_means_ || substitutes_[token].size() > 1;
    }
}

std::vector<TokenRow> TokenRows::of(std::size_t source, std::size_t token) const {
    const std::int64_t number = vocabulary_.numbers[source][token];
    if (number < 0 || forced_[token]) return substitutes_[token];
    return {{source, number}};
}

std::vector<TokenRow> TokenRows::owners(std::size_t token) const {
    std::vector<TokenRow> rows;
    for (const std::size_t source : merged_)
        if (const std::int64_t number = vocabulary_.numbers[source][token]; number >= 0)
            rows.push_back({source, number});
    return rows;
}

std::vector<TokenRow> TokenRows::substitute(std::size_t token) const {
    const auto own = settings_.find(vocabulary_.tokens[token]);
    if (own != settings_.end()) return configured(own->second, token);
    const std::vector<TokenRow> rows = owners(token);
    for (const TokenRow& row : rows)
        if (rows.size() > 1 && row.source == base_) return {row};
    return rows;
}

std::vector<TokenRow> TokenRows::configured(const TokenSetting& setting, std::size_t token) const {
    if (setting.from == TokenSetting::From::zero) return {};
    const auto found = index_.find(setting.model);
    const auto source = static_cast<std::size_t>(found == index_.end() ? 0 : found->second);
    if (found == index_.end() || std::find(merged_.begin(), merged_.end(), source) == merged_.end())
        refuse(setting.token, fmt::format("'{}' is not among the models merged", setting.model));
    if (setting.from == TokenSetting::From::other_token) return {other_token(setting, source)};
    const std::int64_t number = vocabulary_.numbers[source][token];
    if (number < 0) refuse(setting.token, fmt::format("'{}' lacks the token", setting.model));
    return {{source, number}};
}

TokenRow TokenRows::other_token(const TokenSetting& setting, std::size_t source) const {
    if (setting.other_id) return {source, *setting.other_id};
    const TokenizerFile::Ids& own = vocabulary_.own[source];
    const auto found = own.find(setting.other_token);
    if (found == own.end())
        refuse(setting.token,
               fmt::format("'{}' has no token '{}'", setting.model, setting.other_token));
    return {source, found->second};
}

}  // namespace galapagos
