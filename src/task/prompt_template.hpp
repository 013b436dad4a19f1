#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace galapagos {

/// Text with {field} placeholders; {{ and }} stand for braces.
class PromptTemplate {
  public:
    /// Throws UsageError, beginning with `where`, for a brace that doesn't pair.
    PromptTemplate(const std::string& text, const std::string& where);

    /// Fills in `fields`, a JSON object. Throws UsageError, beginning with `place`, for a field
    /// that is missing or neither text nor number nor boolean; beginning with `where`, for a
    /// template that names fields in double braces only, as Jinja does: it would ask the same of
    /// all items.
    std::string render(const nlohmann::json& fields, const std::string& place) const;

    /// The field's name if the template is nothing but one field.
    std::optional<std::string> only_field() const;

  private:
    struct Part {
        bool is_field;
        std::string text;
    };
    void refuse_jinja(const nlohmann::json& fields) const;

    std::string where_;
    std::vector<Part> parts_;
};

/// A field of an item as text: strings as they are, numbers and booleans as in JSON. UsageErrors as
/// in PromptTemplate::render.
std::string field_text(const nlohmann::json& fields, const std::string& name,
                       const std::string& place);

}  // namespace galapagos
