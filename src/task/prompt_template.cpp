#include "task/prompt_template.hpp"

#include <cstddef>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {

PromptTemplate::PromptTemplate(const std::string& text, const std::string& where) : where_(where) {
    std::string literal;
    const auto refuse = [&](const std::string& why) {
        throw UsageError(where + ": can't read the template", why,
                         "write {field} for a field of the item, {{ and }} for braces");
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool doubled = i + 1 < text.size() && text[i + 1] == c;
        if ((c != '{' && c != '}') || doubled) {
            literal += c;
            i += (c == '{' || c == '}') ? 1 : 0;
            continue;
        }
        if (c == '}') {
            refuse("a } without {");
        }
        const std::size_t end = text.find('}', i);
        const std::string name = text.substr(i + 1, end == std::string::npos ? end : end - i - 1);
        if (end == std::string::npos || name.empty() || name.find('{') != std::string::npos) {
            refuse("a { without a field name and }");
        }
        parts_.push_back({false, literal});
        parts_.push_back({true, name});
        literal.clear();
        i = end;
    }
    parts_.push_back({false, literal});
}

std::string PromptTemplate::render(const nlohmann::json& fields, const std::string& place) const {
    if (parts_.size() == 1) {
        refuse_jinja(fields);
    }
    std::string text;
    for (const Part& part : parts_) {
        text += part.is_field ? field_text(fields, part.text, place) : part.text;
    }
    return text;
}

std::optional<std::string> PromptTemplate::only_field() const {
    const bool only = parts_.size() == 3 && parts_[0].text.empty() && parts_[2].text.empty();
    return only ? std::optional(parts_[1].text) : std::nullopt;
}

void PromptTemplate::refuse_jinja(const nlohmann::json& fields) const {
    for (const auto& field : fields.items()) {
        for (const char* space : {"", " "}) {
            const std::string braced = '{' + (space + field.key() + space) + '}';
            if (parts_.front().text.find(braced) != std::string::npos) {
                throw UsageError(where_ + ": the template is the same for all items",
                                 "{{ and }} are literal braces, so that it says " + braced,
                                 "write {" + field.key() + "} for the field");
            }
        }
    }
}

std::string field_text(const nlohmann::json& fields, const std::string& name,
                       const std::string& place) {
    const auto field = fields.find(name);
    if (field == fields.end()) {
        std::vector<std::string> names;
        for (const auto& entry : fields.items()) {
            names.push_back(entry.key());
        }
        throw UsageError(place + ": the item has no field '" + name + "'", "",
                         name_hint(name, names));
    }
    if (field->is_string()) {
        return field->get<std::string>();
    }
    if (!field->is_number() && !field->is_boolean()) {
        throw UsageError(place + ": the field '" + name + "' can't be put into a text",
                         std::string("it is ") + field->type_name(),
                         "a text, a number or a boolean is expected");
    }
    return field->dump();
}

}  // namespace galapagos
