// Which row of which model a token's embedding comes from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merge/merged_vocabulary.hpp"

namespace galapagos {

struct TokenRow {
    std::size_t source = 0;
    std::int64_t row = 0;
};

/// The rows of one tensor into which the models `merged` go.
class TokenRows {
  public:
    /// `base` is the base among the merged models, if any. Throws UsageError for a token setting
    /// that can't be followed.
    TokenRows(const TokenizerSetting& setting, const MergedVocabulary& vocabulary,
              const SourceIndex& index, std::vector<std::size_t> merged,
              std::optional<std::size_t> base);

    /// The rows whose mean is the row of a token in one of the models; zeros if there are none.
    std::vector<TokenRow> of(std::size_t source, std::size_t token) const;
    /// True if some row is the mean of several.
    bool has_means() const noexcept { return has_means_; }

  private:
    std::vector<TokenRow> owners(std::size_t token) const;
    std::vector<TokenRow> substitute(std::size_t token) const;
    std::vector<TokenRow> configured(const TokenSetting& setting, std::size_t token) const;
    TokenRow other_token(const TokenSetting& setting, std::size_t source) const;

    const MergedVocabulary& vocabulary_;
    const SourceIndex& index_;
    std::vector<std::size_t> merged_;
    std::optional<std::size_t> base_;
    std::map<std::string, TokenSetting, std::less<>> settings_;
    std::vector<bool> forced_;
    std::vector<std::vector<TokenRow>> substitutes_;  ///< for models that lack the token
    bool has_means_ = false;
};

}  // namespace galapagos
