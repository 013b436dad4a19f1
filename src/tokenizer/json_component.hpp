#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// A part of a tokenizer.json that knows its path, so that a refusal says what it refuses. Every
/// reading function refuses a value of another type. The document must outlive it.
class JsonComponent {
  public:
    JsonComponent(const nlohmann::json& value, std::string path, std::string file);

    /// Throws the Error of a tokenizer that can't be read exactly.
    [[noreturn]] void refuse(const std::string& why) const;

    bool is_null() const { return value_->is_null(); }
    const nlohmann::json& value() const { return *value_; }

    const JsonComponent& require_object() const;
    bool has(const std::string& key) const { return value_->contains(key); }
    JsonComponent at(const std::string& key) const;
    std::vector<JsonComponent> elements() const;

    std::string text() const;
    std::int32_t id() const;
    bool flag(const std::string& key, std::optional<bool> otherwise = {}) const;

    /// The text under "type".
    std::string type() const;

    /// Refuses other keys: an option that the reader doesn't know could change ids or text.
    void allow_only(std::initializer_list<std::string_view> names) const;

  private:
    const nlohmann::json* value_;
    std::string path_;
    std::string file_;
};

}  // namespace galapagos
