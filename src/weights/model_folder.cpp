#include "weights/model_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "base/nearest.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_config_bytes = std::size_t{16} << 20;
constexpr std::size_t max_index_bytes = std::size_t{64} << 20;
constexpr std::string_view single_file = "model.safetensors";
constexpr std::string_view index_file = "model.safetensors.index.json";

constexpr std::array companion_names = {
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
};

nlohmann::json read_object(const fs::path& path, std::size_t limit) {
    auto document = parse_json_strict(read_text(path, limit), path.string(), {.bytes = limit});
    if (!document.is_object()) throw Error(path.string() + ": refused", "not a JSON object");
    return document;
}

/// A shard must lie in the folder itself: its name is one path component.
void check_shard_name(const std::string& name, const fs::path& index, const std::string& tensor) {
    const bool plain = name.find('/') == name.npos && name.find('\\') == name.npos &&
                       name.find('\0') == name.npos && name.find(':') == name.npos;
    if (!plain || !name.ends_with(".safetensors") || name.front() == '.') {
        throw Error(
            index.string() + ": refused",
            fmt::format("weight_map '{}' names '{}', which is no .safetensors file of this folder",
                        tensor, name));
    }
}

/// Reads the index: file name -> tensors that it promises to hold.
std::map<std::string, std::set<std::string>> read_index(const fs::path& path) {
    const auto document = read_object(path, max_index_bytes);
    const auto weight_map = document.find("weight_map");
    if (weight_map == document.end() || !weight_map->is_object() || weight_map->empty()) {
        throw Error(path.string() + ": refused", "weight_map is missing, empty or not an object");
    }
    std::map<std::string, std::set<std::string>> shards;
    for (const auto& [tensor, file] : weight_map->items()) {
        if (!file.is_string()) {
            throw Error(path.string() + ": refused",
                        fmt::format("weight_map '{}' is not a string", tensor));
        }
        check_shard_name(file.get<std::string>(), path, tensor);
        shards[file.get<std::string>()].insert(tensor);
    }
    return shards;
}

bool holds_pickles(const fs::path& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const auto extension = entry.path().extension();
        if (extension == ".bin" || extension == ".pt" || extension == ".pth") return true;
    }
    return false;
}

bool same_contents(const TensorView& a, const TensorView& b) {
    return a.dtype == b.dtype && a.shape == b.shape && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

}  // namespace

bool says_tied(const nlohmann::json& config, const std::string& origin) {
    const auto found = config.find("tie_word_embeddings");
    if (found == config.end() || found->is_null()) {
        const ArchitectureLayout* layout = find_layout(config);
        return layout != nullptr && layout->tied_by_default;
    }
    if (!found->is_boolean())
        throw Error(origin + ": refused", "tie_word_embeddings is not true or false");
    return found->get<bool>();
}

ModelFolder::ModelFolder(const fs::path& folder) : folder_(folder) {
    if (!fs::is_directory(folder_)) {
        throw Error(folder_.string() + ": can't open the model", "not a folder",
                    "name a folder with config.json and safetensors files; a model of a hub has to "
                    "be downloaded first: hf download OWNER/NAME --local-dir FOLDER");
    }
    config_ = read_object(folder_ / "config.json", max_config_bytes);
    tied_ = says_tied(config_, (folder_ / "config.json").string());
    open_weight_files();
    index_tensors();
    resolve_tied_head();
    for (const auto& [name, view] : tensors_) names_.push_back(name);
    std::sort(names_.begin(), names_.end());
    for (const char* name : companion_names) {
        if (fs::is_regular_file(folder_ / name)) companions_.emplace_back(name);
    }
}

void ModelFolder::open_weight_files() {
    if (fs::exists(folder_ / single_file)) {  // transformers, too, prefers it to an index
        files_.emplace_back(folder_ / single_file);
        return;
    }
    const fs::path index = folder_ / index_file;
    if (!fs::exists(index)) {
        throw Error(folder_.string() + ": no weights",
                    fmt::format("neither {} nor {} is there", single_file, index_file),
                    holds_pickles(folder_) ? "PyTorch pickles are not read; "
                                             "config/convert_pickles.py writes them as safetensors"
                                           : "");
    }
    for (const auto& [name, promised] : read_index(index)) {
        std::error_code unreadable;  // a name too long to exist, say
        if (!fs::exists(folder_ / name, unreadable)) {
            throw Error(index.string() + ": refused",
                        fmt::format("weight_map '{}' names '{}', which is missing",
                                    *promised.begin(), name),
                        "download the missing file");
        }
        files_.emplace_back(folder_ / name);
        for (const auto& tensor : promised) {
            if (!files_.back().has(tensor)) {
                throw Error(index.string() + ": refused",
                            fmt::format("weight_map says that '{}' lies in {}, but it does not",
                                        tensor, name));
            }
        }
    }
}

void ModelFolder::index_tensors() {
    const ArchitectureLayout* layout = find_layout(config_);
    const auto ignored = [&](std::string_view name) {
        if (layout == nullptr) return false;
        const auto& suffixes = layout->ignored_suffixes;
        return std::any_of(suffixes.begin(), suffixes.end(),
                           [&](auto suffix) { return ends_with_component(name, suffix); });
    };
    for (const auto& file : files_) {
        for (const auto& entry : file.entries()) {
            if (ignored(entry.name)) continue;
            const std::string name =
                layout == nullptr ? entry.name : layout->canonical_name(entry.name);
            if (!tensors_.emplace(name, file.tensor(entry)).second) {
                throw Error(folder_.string() + ": refused",
                            fmt::format("tensor '{}' lies in two weight files, one of them {}",
                                        entry.name, file.path().filename().string()));
            }
        }
    }
}

void ModelFolder::resolve_tied_head() {
    const ArchitectureLayout* layout = find_layout(config_);
    if (!tied_ || layout == nullptr) return;
    const auto head = tensors_.find(std::string(layout->head));
    if (head == tensors_.end()) return;
    // Files may leave out the embedding's outermost prefix.
    const auto embedding = std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& entry) {
        return ends_with_component(layout->embedding, entry.first);
    });
    if (embedding == tensors_.end()) {
        const TensorView only = head->second;
        tensors_.erase(head);
        tensors_.emplace(std::string(layout->embedding), only);
    } else if (same_contents(embedding->second, head->second)) {
        tensors_.erase(head);
    } else {
        tied_ = false;  // transformers, too, believes the file more than config.json
    }
}

void ModelFolder::keep_tokens(std::int64_t tokens) {
    const ArchitectureLayout* layout = find_layout(config_);
    if (layout == nullptr) return;
    for (const std::string& name : {layout->embedding, layout->head}) {
        const auto found = tensors_.find(name);
        if (found == tensors_.end() || found->second.shape.empty()) continue;
        std::int64_t& rows = found->second.shape.front();
        if (rows <= tokens) continue;
        tokens_left_out_ = rows - tokens;
        rows = tokens;  // what is stored row after row begins with those that stay
    }
    if (tokens_left_out_ > 0) config_[std::string(layout->keys.vocab)] = tokens;
}

std::vector<std::string> ModelFolder::all_files() const {
    std::vector<std::string> names = {"config.json"};
    if (fs::exists(folder_ / index_file)) names.emplace_back(index_file);
    for (const auto& file : files_) names.push_back(file.path().filename().string());
    names.insert(names.end(), companions_.begin(), companions_.end());
    return names;
}

bool ModelFolder::has(std::string_view name) const { return tensors_.contains(std::string(name)); }

TensorView ModelFolder::tensor(std::string_view name) const {
    const auto found = tensors_.find(std::string(name));
    if (found == tensors_.end()) {
        throw Error(fmt::format("{}: no tensor '{}'", folder_.string(), name), {},
                    name_hint(name, names_));
    }
    return found->second;
}

}  // namespace galapagos
