#include "merge/merge_to_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "merge/merger.hpp"
#include "merge/path_plan.hpp"
#include "merge/source_layout.hpp"
#include "weights/finite.hpp"
#include "weights/safetensors_writer.hpp"

namespace galapagos {

namespace fs = std::filesystem;

namespace {

/// A folder that vanishes with all it holds, unless it is published under its final name.
class PartialFolder {
  public:
    explicit PartialFolder(const fs::path& final_path) : final_(final_path) {
        std::string name = final_.filename().string();
        path_ = final_.parent_path() / ("." + name + ".partial-" + std::to_string(getpid()));
        std::error_code status;
        if (!fs::create_directory(path_, status))
            throw Error("folder '" + final_.string() + "' can't be written",
                        status ? status.message() : "'" + path_.string() + "' is in the way");
    }
    ~PartialFolder() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;

    const fs::path& path() const { return path_; }

    void publish() {
        std::error_code status;
        // A rename would replace an empty folder that appeared in the meantime.
        if (fs::exists(final_)) status = std::make_error_code(std::errc::file_exists);
        if (!status) fs::rename(path_, final_, status);
        if (status)
            throw Error("folder '" + final_.string() + "' can't be written", status.message());
        path_.clear();
    }

  private:
    fs::path final_;
    fs::path path_;
};

fs::path checked_output(const fs::path& out) {
    fs::path absolute = fs::absolute(out).lexically_normal();
    if (absolute.filename().empty()) absolute = absolute.parent_path();
    if (fs::exists(fs::symlink_status(absolute)))
        throw UsageError("folder '" + out.string() + "' can't be written", "it exists already",
                         "name a new folder, or remove this one");
    if (!fs::is_directory(absolute.parent_path()))
        throw UsageError("folder '" + out.string() + "' can't be written",
                         "there is no folder '" + absolute.parent_path().string() + "'");
    return absolute;
}

void check_sources(const std::vector<std::shared_ptr<const Source>>& sources) {
    // Slices may combine models of different depths; their tensors are compared by the plan.
    if (equally_deep(sources)) check_compatible(sources);
}

/// A NaN or an infinity in the result nearly always comes from a source: then that is named.
void check_merged(const std::string& name, const TensorView& merged,
                  const std::vector<std::shared_ptr<const Source>>& sources) {
    if (!first_not_finite(merged)) return;
    for (const auto& source : sources) check_finite(*source);
    throw Error(fmt::format("tensor '{}' can't be merged", name),
                fmt::format("the result holds NaN or is too large for {}", name_of(merged.dtype)),
                "choose a wider out_dtype, or other parameters");
}

void write_weights(const MergePlan& plan, Merger& merger,
                   const std::vector<std::shared_ptr<const Source>>& sources,
                   const fs::path& folder, const MergeToFolderOptions& options) {
    std::vector<TensorSpec> specs;
    std::size_t largest = 0;
    for (const TensorMerge& tensor : plan.tensors) {
        specs.push_back({tensor.output_name, tensor.dtype, tensor.shape});
        largest = std::max(largest, specs.back().bytes());
    }
    SafetensorsWriterOptions writer_options;
    writer_options.max_shard_bytes = options.max_shard_bytes;
    SafetensorsWriter writer(folder, specs, writer_options);
    std::vector<std::byte> buffer(largest);
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        const MutableTensorView out{buffer.data(), specs[i].dtype, specs[i].shape};
        merger.merge_tensor(plan.tensors[i], plan.random_seed, out);
        check_merged(specs[i].name, out, sources);
        writer.write(specs[i].name, out.span());
        if (options.progress) options.progress(i + 1, plan.tensors.size());
    }
    writer.finish();
}

/// The plan, and config.json as far as it depends on that.
UnrolledModel plan_model(const Recipe& recipe,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const SourceIndex& index, const Source& donor) {
    if (recipe.layer_path) return unroll(recipe, sources, index);
    UnrolledModel model{make_plan(recipe, sources, index), donor.config()};
    for (const char* key : {"num_hidden_layers", "n_layer"})
        if (model.config.contains(key)) model.config[key] = model.plan.layers;
    return model;
}

void write_config(nlohmann::json config, const Recipe& recipe, const fs::path& folder) {
    const auto dtype = recipe.out_dtype ? recipe.out_dtype : recipe.dtype;
    if (dtype) {
        // Newer files call it "dtype".
        const bool newer = config.contains("dtype") && !config.contains("torch_dtype");
        config[newer ? "dtype" : "torch_dtype"] = std::string(torch_name_of(*dtype));
    }
    write_atomically(folder / "config.json", config.dump(2) + "\n");
}

void copy_companions(const Source& donor, const fs::path& folder) {
    for (const std::string& name : donor.folder().companion_files()) {
        std::error_code status;
        fs::copy_file(donor.folder().folder() / name, folder / name, status);
        if (status)
            throw Error("file '" + name + "' of '" + donor.name() + "' can't be copied",
                        status.message());
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
    const std::string text = wanted == "auto" ? most_common_template(sources) : wanted;
    if (text.empty()) return;
    write_atomically(folder / "chat_template.jinja", text);
    const fs::path path = folder / "tokenizer_config.json";
    if (!fs::exists(path)) return;
    nlohmann::json config = parse_json_strict(read_text(path), path.string());
    if (config.erase("chat_template") > 0) write_atomically(path, config.dump(2) + "\n");
}

}  // namespace

void merge_to_folder(const Recipe& recipe, const fs::path& out, const MergeToFolderOptions& options,
                     const std::string& recipe_text) {
    const fs::path final_path = checked_output(out);
    const auto sources = open_sources(recipe, options.sources);
    check_sources(sources);
    const SourceIndex index = index_sources(sources);
    const Source& donor = *sources[static_cast<std::size_t>(index.at(donor_model(recipe)))];
    const auto [plan, config] = plan_model(recipe, sources, index, donor);

    PartialFolder partial(final_path);
    Merger merger(sources, Sharding(), options.seed);
    write_weights(plan, merger, sources, partial.path(), options);
    write_config(config, recipe, partial.path());
    copy_companions(donor, partial.path());
    write_chat_template(recipe.chat_template, sources, partial.path());
    write_atomically(partial.path() / recipe_file_name,
                     recipe_text.empty() ? to_yaml(recipe) : recipe_text);
    partial.publish();
}

}  // namespace galapagos
