#include "tokenizer/json_component.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace galapagos {

namespace {

// Far beyond any vocabulary; tables by id stay small whatever the file says.
constexpr std::uint64_t id_limit = 1 << 24;

}  // namespace

JsonComponent::JsonComponent(const nlohmann::json& value, std::string path, std::string file)
    : value_(&value), path_(std::move(path)), file_(std::move(file)) {}

void JsonComponent::refuse(const std::string& why) const {
    throw Error(
        "can't use the tokenizer " + file_, path_ + ": " + why,
        "tokenizers are read exactly or not at all; docs/tokenizers.md lists what is known");
}

const JsonComponent& JsonComponent::require_object() const {
    if (!value_->is_object()) {
        refuse("an object is expected here");
    }
    return *this;
}

JsonComponent JsonComponent::at(const std::string& key) const {
    if (!value_->contains(key)) {
        refuse("\"" + key + "\" is missing");
    }
    return {value_->at(key), path_.empty() ? key : path_ + "." + key, file_};
}

std::vector<JsonComponent> JsonComponent::elements() const {
    if (!value_->is_array()) {
        refuse("a list is expected here");
    }
    std::vector<JsonComponent> list;
    list.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
        list.emplace_back((*value_)[i], path_ + "[" + std::to_string(i) + "]", file_);
    }
    return list;
}

std::string JsonComponent::text() const {
    if (!value_->is_string()) {
        refuse("text is expected here");
    }
    return value_->get<std::string>();
}

std::int32_t JsonComponent::id() const {
    if (!value_->is_number_unsigned() || value_->get<std::uint64_t>() >= id_limit) {
        refuse("a token id from 0 to " + std::to_string(id_limit - 1) + " is expected here");
    }
    return value_->get<std::int32_t>();
}

bool JsonComponent::flag(const std::string& key, std::optional<bool> otherwise) const {
    if (otherwise && !value_->contains(key)) {
        return *otherwise;
    }
    const JsonComponent child = at(key);
    if (!child.value_->is_boolean()) {
        child.refuse("true or false is expected here");
    }
    return child.value_->get<bool>();
}

std::string JsonComponent::type() const { return require_object().at("type").text(); }

void JsonComponent::allow_only(std::initializer_list<std::string_view> names) const {
    for (const auto& entry : value_->items()) {
        if (std::find(names.begin(), names.end(), entry.key()) == names.end()) {
            refuse("unknown option \"" + entry.key() + "\"");
        }
    }
}

}  // namespace galapagos
