// The check that sources can be merged at all.
#include <fmt/format.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "weights/architecture_layout.hpp"
#include "weights/source.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

constexpr std::size_t max_tokenizer_bytes = std::size_t{128} << 20;

/// Two sources under comparison; knows how to complain.
struct Pair {
    const Source& first;
    const Source& other;
    Vocabularies vocabularies;

    [[noreturn]] void differ(
        const std::string& how,
        const char* remedy = "all sources must be fine-tuned from one base") const {
        throw Error(
            fmt::format("sources '{}' and '{}' can't be merged", first.name(), other.name()), how,
            remedy);
    }
    [[noreturn]] void differ_in_vocabulary(const std::string& how) const {
        differ(how,
               "a recipe of galapagos merge may align vocabularies: set 'tokenizer_source' to base "
               "or union");
    }
};

/// A config.json value as text; null and absent are the same.
std::string value_of(const json& config, std::string_view key) {
    const auto found = config.find(key);
    return found == config.end() || found->is_null() ? "(absent)" : found->dump();
}

void compare_config(const Pair& pair) {
    const json& first = pair.first.config();
    const json& other = pair.other.config();
    const ArchitectureLayout* layout = find_layout(first);
    const SizeKeys keys = layout != nullptr ? layout->keys : SizeKeys{};
    for (const std::string_view key :
         {std::string_view("model_type"), std::string_view("architectures"), keys.hidden,
          keys.layers, keys.heads, keys.kv_heads, keys.head_dim, keys.intermediate, keys.vocab,
          std::string_view("hidden_act")}) {
        if (key == keys.vocab && pair.vocabularies == Vocabularies::may_differ) continue;
        const std::string a = value_of(first, key);
        const std::string b = value_of(other, key);
        const bool defaulted =
            (key == keys.kv_heads || key == keys.head_dim) && (a == "(absent)" || b == "(absent)");
        // What an absent value defaults to shows in the shapes.
        if (a == b || defaulted) continue;
        const std::string how = fmt::format("config.json: {} is {} and {}", key, a, b);
        key == keys.vocab ? pair.differ_in_vocabulary(how) : pair.differ(how);
    }
}

/// A tensor with a row for each token, in sources of different vocabularies.
bool may_differ(const Pair& pair, const std::string& name) {
    const ArchitectureLayout* layout = find_layout(pair.first.config());
    return pair.vocabularies == Vocabularies::may_differ && layout != nullptr &&
           (name == layout->embedding || name == layout->head);
}

void compare_tensors(const Pair& pair) {
    const auto lacks = [&](const Source& owner, const Source& lacking, const std::string& name) {
        pair.differ(fmt::format("tensor '{}' is in '{}' but not in '{}'", name, owner.name(),
                                lacking.name()));
    };
    for (const auto& name : pair.first.tensor_names()) {
        if (!pair.other.has(name)) {
            if (stored_name(pair.other, name) != name) continue;
            lacks(pair.first, pair.other, name);
        }
        const Shape& a = pair.first.folder().tensor(name).shape;
        const Shape& b = pair.other.folder().tensor(name).shape;
        if (a != b && !may_differ(pair, name)) {
            pair.differ(
                fmt::format("tensor '{}' has shape {} and {}", name, to_string(a), to_string(b)));
        }
    }
    for (const auto& name : pair.other.tensor_names()) {
        if (!pair.first.has(name) && stored_name(pair.first, name) == name)
            lacks(pair.other, pair.first, name);
    }
}

/// Token number -> text of a tokenizer.json, as far as it lists them by name; empty if it does not.
std::map<std::int64_t, std::string> read_tokens(const std::string& text,
                                                const std::string& origin) {
    const json tokenizer = parse_json_strict(text, origin, {.bytes = max_tokenizer_bytes});
    std::map<std::int64_t, std::string> tokens;
    const json::json_pointer vocabulary("/model/vocab");
    if (tokenizer.is_object() && tokenizer.contains(vocabulary) &&
        tokenizer.at(vocabulary).is_object()) {
        for (const auto& [token, id] : tokenizer.at(vocabulary).items()) {
            if (id.is_number_integer()) tokens.emplace(id.get<std::int64_t>(), token);
        }
    }
    const json::json_pointer added("/added_tokens");
    if (tokenizer.is_object() && tokenizer.contains(added) && tokenizer.at(added).is_array()) {
        for (const auto& entry : tokenizer.at(added)) {
            if (!entry.is_object() || !entry.contains("id") || !entry.contains("content")) continue;
            if (entry["id"].is_number_integer() && entry["content"].is_string()) {
                tokens[entry["id"].get<std::int64_t>()] = entry["content"].get<std::string>();
            }
        }
    }
    return tokens;
}

/// A token number must mean the same text in both. Numbers that only one of them uses do not
/// matter: models keep spare rows, and fine-tunes give names to some.
void compare_tokenizers(const Pair& pair) {
    const auto path_a = pair.first.folder().folder() / "tokenizer.json";
    const auto path_b = pair.other.folder().folder() / "tokenizer.json";
    if (!std::filesystem::exists(path_a) || !std::filesystem::exists(path_b)) {
        if (pair.other.folder().tokens_left_out() == 0) return;
        pair.differ_in_vocabulary(fmt::format(
            "'{}' has {} tokens more, and without a tokenizer.json in both nothing says that they "
            "are the last",
            pair.other.name(), pair.other.folder().tokens_left_out()));
    }
    const std::string text_a = read_text(path_a, max_tokenizer_bytes);
    const std::string text_b = read_text(path_b, max_tokenizer_bytes);
    if (text_a == text_b) return;
    const auto tokens_a = read_tokens(text_a, path_a.string());
    for (const auto& [id, token] : read_tokens(text_b, path_b.string())) {
        const auto found = tokens_a.find(id);
        if (found != tokens_a.end() && found->second != token) {
            pair.differ_in_vocabulary(
                fmt::format("tokenizer.json: token {} is '{}' and '{}'", id, found->second, token));
        }
    }
}

}  // namespace

void check_compatible(const std::vector<std::shared_ptr<const Source>>& sources,
                      Vocabularies vocabularies) {
    for (std::size_t i = 1; i < sources.size(); ++i) {
        const Pair pair{*sources.front(), *sources[i], vocabularies};
        compare_config(pair);
        compare_tensors(pair);
        if (vocabularies == Vocabularies::same) compare_tokenizers(pair);
    }
}

}  // namespace galapagos
