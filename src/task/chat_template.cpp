#include "task/chat_template.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"

namespace galapagos {

namespace {

// Python, and so transformers, reads text files with every line end as "\n".
std::string hash_of_file(const std::filesystem::path& path) {
    std::string text;
    for (const char c : read_text(path)) {
        if (c == '\n' && text.ends_with('\r')) {
            text.back() = '\n';
        } else {
            text += c;
        }
    }
    std::replace(text.begin(), text.end(), '\r', '\n');
    return sha256_hex(text);
}

std::vector<std::string> hashes_of_files(const std::filesystem::path& folder) {
    std::vector<std::string> hashes;
    if (const auto file = folder / "chat_template.jinja"; std::filesystem::is_regular_file(file)) {
        hashes.push_back(hash_of_file(file));
    }
    if (const auto more = folder / "additional_chat_templates";
        std::filesystem::is_directory(more)) {
        for (const auto& entry : std::filesystem::directory_iterator(more)) {
            if (entry.path().extension() == ".jinja") {
                hashes.push_back(hash_of_file(entry.path()));
            }
        }
    }
    return hashes;
}

}  // namespace

std::vector<std::string> chat_template_hashes(const std::filesystem::path& model_folder) {
    std::vector<std::string> hashes = hashes_of_files(model_folder);
    const auto file = model_folder / "tokenizer_config.json";
    if (!hashes.empty() || !std::filesystem::is_regular_file(file)) {
        return hashes;
    }
    const nlohmann::json config = parse_json_strict(read_text(file), file.string());
    const nlohmann::json value =
        config.is_object() ? config.value("chat_template", nlohmann::json()) : nlohmann::json();
    if (value.is_string()) {
        hashes.push_back(sha256_hex(value.get<std::string>()));
    } else if (value.is_array()) {
        for (const nlohmann::json& entry : value) {
            if (entry.is_object() && entry.contains("template") && entry["template"].is_string()) {
                hashes.push_back(sha256_hex(entry["template"].get<std::string>()));
            }
        }
    }
    return hashes;
}

void check_chat_template(const std::vector<Item>& items,
                         const std::filesystem::path& model_folder) {
    const bool rendered = std::any_of(items.begin(), items.end(), [](const Item& item) {
        return !item.chat_template_sha256.empty();
    });
    if (!rendered) {
        return;
    }
    const std::vector<std::string> known = chat_template_hashes(model_folder);
    for (const Item& item : items) {
        const auto& hash = item.chat_template_sha256;
        if (hash.empty() || std::find(known.begin(), known.end(), hash) != known.end()) {
            continue;
        }
        const std::string file = item.place.substr(0, item.place.rfind(':'));
        throw UsageError(
            fmt::format("{}: the prompt was rendered with another chat template", item.place),
            fmt::format("chat_template_sha256 is {}, the template of {} is {}", hash,
                        model_folder.string(),
                        known.empty() ? "missing" : fmt::format("{}", fmt::join(known, " or "))),
            fmt::format("render it again: config/render_chat.py {} {} {}", model_folder.string(),
                        file, file));
    }
}

}  // namespace galapagos
