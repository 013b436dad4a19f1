#include "merge/tokenizer_file.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"

namespace galapagos {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* file_name = "tokenizer.json";
constexpr const char* settings_name = "tokenizer_config.json";

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw UsageError((folder / file_name).string() + ": can't be merged", why);
}

/// The two parts of a merge, "a b" or ["a", "b"].
std::pair<std::string, std::string> parts_of(const json& merge) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
        return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const auto space = text.find(' ');
    if (space == std::string::npos) return {};
    return {text.substr(0, space), text.substr(space + 1)};
}

bool is_token_entry(const json& entry) {
    return entry.is_object() && entry.contains("id") && entry["id"].is_number_integer() &&
           entry.contains("content") && entry["content"].is_string();
}

template <typename Unwanted>
void erase_if(json& array, Unwanted&& unwanted) {
    array.erase(std::remove_if(array.begin(), array.end(), unwanted), array.end());
}

}  // namespace

bool has_tokenizer_file(const fs::path& folder) { return fs::exists(folder / file_name); }

TokenizerFile::TokenizerFile(const fs::path& folder) : folder_(folder) {
    const fs::path path = folder / file_name;
    json_ = parse_json_strict(read_text(path), path.string());
    if (!json_.is_object()) refuse(folder, "not a JSON object");
    if (!json_.contains("added_tokens") || json_["added_tokens"].is_null())
        json_["added_tokens"] = json::array();
    index();
}

void TokenizerFile::note(const std::string& token, std::int64_t id) {
    constexpr std::int64_t most = 10'000'000;
    if (id < 0 || id > most)
        refuse(folder_, "the number of '" + token + "' is not between 0 and 10000000");
    ids_[token] = id;
    end_ = std::max(end_, id + 1);
}

void TokenizerFile::index_vocabulary() {
    const json::json_pointer place("/model/vocab");
    if (!json_.contains(place)) refuse(folder_, "it lists no tokens under model.vocab");
    const json& vocabulary = json_.at(place);
    if (vocabulary.is_object()) {
        for (const auto& [token, id] : vocabulary.items())
            note(token, id.is_number_integer() ? id.get<std::int64_t>() : -1);
        return;
    }
    for (const json& entry : vocabulary) {  // Unigram: [token, score] in order
        if (!entry.is_array() || entry.empty() || !entry[0].is_string())
            refuse(folder_, "model.vocab holds an entry that is no [token, score]");
        note(entry[0].get<std::string>(), end_);
    }
}

void TokenizerFile::index() {
    ids_.clear();
    added_.clear();
    end_ = 0;
    index_vocabulary();
    if (!json_["added_tokens"].is_array()) refuse(folder_, "added_tokens is no list");
    for (const json& entry : json_["added_tokens"]) {
        if (!is_token_entry(entry)) refuse(folder_, "added_tokens holds an entry that is no token");
        const auto token = entry["content"].get<std::string>();
        note(token, entry["id"].get<std::int64_t>());
        added_.insert(token);
    }
}

std::optional<std::int64_t> TokenizerFile::find(std::string_view token) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
}

void TokenizerFile::remove_from(std::int64_t rows) {
    std::set<std::string> unused;
    for (const auto& [token, id] : ids_)
        if (id >= rows) unused.insert(token);
    if (unused.empty()) return;
    changed_ = true;
    erase_if(json_["added_tokens"], [&](const json& entry) { return entry["id"] >= rows; });
    json& model = json_["model"];
    const bool all_added = std::none_of(unused.begin(), unused.end(), [&](const auto& token) {
        return !model["vocab"].is_object() || model["vocab"].contains(token);
    });
    if (!all_added) {
        if (!model.contains("merges") || !model["merges"].is_array())
            refuse(folder_, "it has tokens without an embedding, and is no BPE tokenizer");
        for (const std::string& token : unused) model["vocab"].erase(token);
        erase_if(model["merges"], [&](const json& merge) {
            const auto [left, right] = parts_of(merge);
            return unused.contains(left) || unused.contains(right) || unused.contains(left + right);
        });
    }
    index();
}

void TokenizerFile::add(json entry) {
    const std::string token = entry.at("content").get<std::string>();
    if (is_added(token)) return;
    const std::int64_t id = find(token).value_or(end_);
    note(token, id);
    entry["id"] = id;
    added_.insert(token);
    json_["added_tokens"].push_back(std::move(entry));
    changed_ = true;
}

void TokenizerFile::add(const std::string& token) {
    add(json{{"content", token},
             {"single_word", false},
             {"lstrip", false},
             {"rstrip", false},
             {"normalized", true},
             {"special", false}});
}

void TokenizerFile::write(const fs::path& folder) const {
    // Readers number added tokens in the order of the list.
    json sorted = json_;
    std::sort(sorted["added_tokens"].begin(), sorted["added_tokens"].end(),
              [](const json& a, const json& b) { return a["id"] < b["id"]; });
    write_atomically(folder / file_name, sorted.dump() + "\n");
    write_settings(folder);
}

void TokenizerFile::write_settings(const fs::path& folder) const {
    const fs::path path = folder_ / settings_name;
    if (!fs::exists(path)) return;
    json settings = parse_json_strict(read_text(path), path.string());
    if (!settings.is_object()) return;
    if (settings.contains("added_tokens_decoder")) {
        json decoder = json::object();
        for (json entry : added_tokens()) {
            const auto id = entry["id"].get<std::int64_t>();
            entry.erase("id");
            decoder[std::to_string(id)] = std::move(entry);
        }
        settings["added_tokens_decoder"] = std::move(decoder);
    }
    write_atomically(folder / settings_name, settings.dump(2) + "\n");
}

}  // namespace galapagos
