// A tokenizer.json as a list of tokens that can grow and shrink.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace galapagos {

/// What is neither a token nor a rule that makes one is kept as it is.
class TokenizerFile {
  public:
    using Ids = std::map<std::string, std::int64_t, std::less<>>;

    /// Reads tokenizer.json of a model folder. Throws Error if it is missing, UsageError if it
    /// lists no tokens.
    explicit TokenizerFile(const std::filesystem::path& folder);

    const Ids& ids() const noexcept { return ids_; }
    std::optional<std::int64_t> find(std::string_view token) const;
    /// One past the highest number.
    std::int64_t end() const noexcept { return end_; }
    /// The entries of `added_tokens`, in order.
    const nlohmann::json& added_tokens() const { return json_.at("added_tokens"); }
    bool is_added(std::string_view token) const { return added_.contains(token); }
    /// True if a token was added or removed.
    bool changed() const noexcept { return changed_; }

    /// Removes the tokens of number `rows` and above, and the merges that make or use them. Throws
    /// UsageError where the kind of tokenizer doesn't allow that.
    void remove_from(std::int64_t rows);
    /// Adds a token to `added_tokens` under the number that it has, else the next one; `entry` is
    /// as there. Nothing happens if it is an added token already.
    void add(nlohmann::json entry);
    /// The same for a token without properties.
    void add(const std::string& token);

    /// Writes tokenizer.json, and the folder's tokenizer_config.json as far as it lists tokens.
    void write(const std::filesystem::path& folder) const;

  private:
    void index();
    void index_vocabulary();
    void note(const std::string& token, std::int64_t id);
    void write_settings(const std::filesystem::path& folder) const;

    std::filesystem::path folder_;
    nlohmann::json json_;
    Ids ids_;
    std::set<std::string, std::less<>> added_;
    std::int64_t end_ = 0;
    bool changed_ = false;
};

/// True if a model folder has one.
bool has_tokenizer_file(const std::filesystem::path& folder);

}  // namespace galapagos
