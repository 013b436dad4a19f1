// Typed reading of a model's config.json.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace galapagos {

/// Reads keys of one JSON object, with errors that name document and key, and remembers which it
/// was asked for. The object must outlive the reader.
class ConfigReader {
  public:
    ConfigReader(const nlohmann::json& object, std::string origin);

    /// True for a key that is there and not null.
    bool has(std::string_view key) const;
    /// True for a key that is there and null.
    bool is_null(std::string_view key) const;
    const nlohmann::json& at(std::string_view key) const;

    /// A whole number between 1 and 2147483647.
    int64_t size(std::string_view key) const;
    int64_t size(std::string_view key, int64_t fallback) const;
    /// A whole number from 0.
    int64_t count(std::string_view key, int64_t fallback) const;
    /// A positive number.
    double number(std::string_view key) const;
    double number(std::string_view key, double fallback) const;
    bool flag(std::string_view key, bool fallback) const;
    std::string text(std::string_view key, const std::string& fallback) const;

    [[noreturn]] void refuse(std::string_view key, const std::string& why,
                             const std::string& hint = {}) const;
    /// Refuses the key unless it is absent, null, false, empty, or `neutral`.
    void refuse_unless(std::string_view key, const nlohmann::json& neutral,
                       const std::string& why) const;
    /// Refuses keys that are known to change what some network computes, are set, and were never
    /// asked for.
    void refuse_other_arithmetic() const;

    const std::string& origin() const { return origin_; }

  private:
    const nlohmann::json& object_;
    std::string origin_;
    mutable std::set<std::string, std::less<>> asked_;
};

}  // namespace galapagos
