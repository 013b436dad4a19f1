#include "merge/output_tokenizer.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "merge/chat_templates.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 5> tokenizer_files{
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "chat_template.json"};
/// What slow tokenizers are made of: wrong once tokens came or went.
constexpr std::array<std::string_view, 4> vocabulary_files{"added_tokens.json", "vocab.json",
                                                           "merges.txt", "tokenizer.model"};
constexpr std::array<std::string_view, 3> special_tokens{"bos_token_id", "eos_token_id",
                                                         "pad_token_id"};

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void take_file(const fs::path& from, const fs::path& to, std::string_view name) {
    std::error_code status;
    fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing, status);
    if (status)
        throw Error("file '" + (from / name).string() + "' can't be copied", status.message());
}

void take_if_there(const fs::path& from, const fs::path& to, std::string_view name) {
    if (fs::is_regular_file(from / name)) take_file(from, to, name);
}

void copy_from_donor(const Source& donor, bool with_tokenizer, const fs::path& folder) {
    for (const std::string& name : donor.folder().companion_files())
        if (with_tokenizer ||
            (!contains(tokenizer_files, name) && !contains(vocabulary_files, name)))
            take_file(donor.folder().folder(), folder, name);
}

bool is_of(const MergedVocabulary& vocabulary, const Source& donor) {
    return vocabulary.tokenizer_folder == donor.folder().folder();
}

void write_tokenizer(const MergedVocabulary& vocabulary, const Source& donor,
                     const fs::path& folder) {
    const fs::path& from = vocabulary.tokenizer_folder;
    for (const std::string_view name : tokenizer_files) take_if_there(from, folder, name);
    if (!is_of(vocabulary, donor)) take_if_there(from, folder, "generation_config.json");
    if (vocabulary.tokenizer.changed()) {
        vocabulary.tokenizer.write(folder);
    } else {
        for (const std::string_view name : vocabulary_files) take_if_there(from, folder, name);
    }
}

std::optional<std::string> chat_template_of(const Source& source) {
    const fs::path folder = source.folder().folder();
    if (fs::exists(folder / "chat_template.jinja"))
        return read_text(folder / "chat_template.jinja");
    const fs::path path = folder / "tokenizer_config.json";
    if (!fs::exists(path)) return std::nullopt;
    const nlohmann::json config = parse_json_strict(read_text(path), path.string());
    const auto entry = config.find("chat_template");
    if (entry == config.end()) return std::nullopt;
    if (entry->is_string()) return entry->get<std::string>();
    if (!entry->is_array()) return std::nullopt;
    for (const auto& named : *entry)
        if (named.value("name", "") == "default" && named.contains("template"))
            return named["template"].get<std::string>();
    return std::nullopt;
}

std::string trimmed(const std::string& text) {
    constexpr const char* space = " \t\r\n";
    const auto first = text.find_first_not_of(space);
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(space) + 1 - first);
}

/// The template that most of the sources have, of equally frequent ones the first; empty if none.
std::string most_common_template(const std::vector<std::shared_ptr<const Source>>& sources) {
    std::vector<std::pair<std::string, int>> votes;
    for (const auto& source : sources) {
        const auto found = chat_template_of(*source);
        const std::string text = found ? trimmed(*found) : "";
        if (text.empty()) continue;
        const auto known = std::find_if(votes.begin(), votes.end(),
                                        [&](const auto& vote) { return vote.first == text; });
        if (known == votes.end())
            votes.emplace_back(text, 1);
        else
            ++known->second;
    }
    const auto best =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return best == votes.end() ? "" : best->first;
}

/// Newer folders keep the template in a file of its own, which counts before tokenizer_config.json.
void write_chat_template(const std::string& wanted,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const fs::path& folder) {
    if (wanted.empty()) return;
    const auto known = find_chat_template(wanted);
    const std::string text = known              ? std::string(*known)
                             : wanted == "auto" ? most_common_template(sources)
                                                : wanted;
    if (text.empty()) return;
    write_atomically(folder / "chat_template.jinja", text);
    const fs::path path = folder / "tokenizer_config.json";
    if (!fs::exists(path)) return;
    nlohmann::json config = parse_json_strict(read_text(path), path.string());
    if (config.erase("chat_template") > 0) write_atomically(path, config.dump(2) + "\n");
}

}  // namespace

void write_companions(const Recipe& recipe,
                      const std::vector<std::shared_ptr<const Source>>& sources,
                      const Source& donor, const MergedVocabulary* vocabulary,
                      const fs::path& folder) {
    copy_from_donor(donor, vocabulary == nullptr, folder);
    if (vocabulary != nullptr) write_tokenizer(*vocabulary, donor, folder);
    write_chat_template(recipe.chat_template, sources, folder);
}

void set_vocabulary(const MergedVocabulary& vocabulary, const Source& donor,
                    nlohmann::json& config) {
    config[std::string(find_layout(donor.config())->keys.vocab)] = vocabulary.rows;
    const fs::path path = vocabulary.tokenizer_folder / "config.json";
    if (is_of(vocabulary, donor) || !fs::exists(path)) return;
    const nlohmann::json other = parse_json_strict(read_text(path), path.string());
    for (const std::string_view key : special_tokens)
        if (other.is_object() && other.contains(key)) config[std::string(key)] = other.at(key);
}

}  // namespace galapagos
