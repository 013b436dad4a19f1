#include "tokenizer/vocabulary_json.hpp"

#include <cstddef>
#include <unordered_set>
#include <utility>

namespace galapagos {

namespace {

std::unordered_map<std::string, std::int32_t> read_vocabulary(const JsonComponent& vocabulary) {
    vocabulary.require_object();
    std::unordered_map<std::string, std::int32_t> ids;
    std::unordered_set<std::int32_t> seen;
    ids.reserve(vocabulary.value().size());
    for (const auto& entry : vocabulary.value().items()) {
        const std::int32_t id = vocabulary.at(entry.key()).id();
        if (!seen.insert(id).second) {
            vocabulary.refuse("two tokens have the id " + std::to_string(id));
        }
        ids.emplace(entry.key(), id);
    }
    return ids;
}

// Merges are pairs in newer files, "left right" in older ones.
std::vector<std::pair<std::string, std::string>> read_merges(const JsonComponent& merges) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const JsonComponent& merge : merges.elements()) {
        if (merge.value().is_array()) {
            const std::vector<JsonComponent> sides = merge.elements();
            if (sides.size() != 2) {
                merge.refuse("a merge has two sides");
            }
            pairs.emplace_back(sides[0].text(), sides[1].text());
            continue;
        }
        const std::string line = merge.text();
        if (line.starts_with("#version")) {
            continue;
        }
        const std::size_t space = line.find(' ');
        if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
            merge.refuse("a merge is written as two tokens with one space between them");
        }
        pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return pairs;
}

void refuse_unless_empty(const JsonComponent& model, const std::string& key) {
    if (model.has(key) && !model.at(key).is_null() && !model.at(key).text().empty()) {
        model.at(key).refuse("only an empty text is known here");
    }
}

}  // namespace

BpeSettings read_bpe_settings(const JsonComponent& model) {
    model.require_object();
    if (model.has("type") && model.type() != "BPE") {
        model.refuse("unknown model " + model.type());
    }
    model.allow_only({"type", "dropout", "unk_token", "continuing_subword_prefix",
                      "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                      "merges"});
    refuse_unless_empty(model, "continuing_subword_prefix");
    refuse_unless_empty(model, "end_of_word_suffix");
    if (model.has("dropout") && !model.at("dropout").is_null() &&
        model.at("dropout").value() != 0) {
        model.at("dropout").refuse("random dropout of merges makes ids irreproducible");
    }
    BpeSettings settings;
    settings.vocabulary = read_vocabulary(model.at("vocab"));
    settings.merges = read_merges(model.at("merges"));
    settings.fuse_unknown = model.flag("fuse_unk", false);
    settings.byte_fallback = model.flag("byte_fallback", false);
    settings.ignore_merges = model.flag("ignore_merges", false);
    if (model.has("unk_token") && !model.at("unk_token").is_null()) {
        settings.unknown_token = model.at("unk_token").text();
    }
    return settings;
}

namespace {

AddedToken read_added_token(const JsonComponent& component) {
    component.require_object();
    AddedToken token;
    token.id = component.at("id").id();
    token.content = component.at("content").text();
    token.single_word = component.flag("single_word");
    token.lstrip = component.flag("lstrip");
    token.rstrip = component.flag("rstrip");
    token.normalized = component.flag("normalized");
    token.special = component.flag("special");
    if (token.content.empty()) {
        component.at("content").refuse("an added token can't be empty");
    }
    return token;
}

}  // namespace

// The Hugging Face library numbers added tokens itself: those of the vocabulary keep their id,
// others follow. A file whose ids differ would mean one thing to it and another to the model.
std::vector<AddedToken> read_added_tokens(
    const JsonComponent& list, const std::unordered_map<std::string, std::int32_t>& vocabulary) {
    std::vector<AddedToken> tokens;
    std::unordered_set<std::string> contents;
    auto next_id = static_cast<std::int32_t>(vocabulary.size());
    for (const JsonComponent& component : list.elements()) {
        AddedToken token = read_added_token(component);
        const auto known = vocabulary.find(token.content);
        const std::int32_t expected = known != vocabulary.end() ? known->second : next_id++;
        if (token.id != expected) {
            component.at("id").refuse("\"" + token.content + "\" has the id " +
                                      std::to_string(token.id) + " where its place gives it " +
                                      std::to_string(expected));
        }
        if (!contents.insert(token.content).second) {
            component.refuse("\"" + token.content + "\" is listed twice");
        }
        tokens.push_back(std::move(token));
    }
    return tokens;
}

}  // namespace galapagos
