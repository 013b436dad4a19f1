#include "merge/merge_to_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"
#include "merge/aligned_embeddings.hpp"
#include "merge/merged_config.hpp"
#include "merge/merged_vocabulary.hpp"
#include "merge/merger.hpp"
#include "merge/output_tokenizer.hpp"
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

/// A result with an output head is not tied, whatever the donor's config.json says.
void untie_stored_head(const MergePlan& plan, nlohmann::json& config) {
    const ArchitectureLayout* layout = find_layout(config);
    if (layout == nullptr || !says_tied(config, "config.json")) return;
    if (std::any_of(plan.tensors.begin(), plan.tensors.end(),
                    [&](const auto& tensor) { return tensor.output_name == layout->head; }))
        config["tie_word_embeddings"] = false;
}

/// The plan, and config.json as far as it depends on that.
UnrolledModel plan_model(const Recipe& recipe,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const SourceIndex& index) {
    UnrolledModel model;
    if (recipe.layer_path) {
        model = unroll(recipe, sources, index);
    } else {
        model.plan = make_plan(recipe, sources, index);
        model.config = merged_config(recipe, sources, index, model.plan.layers);
    }
    untie_stored_head(model.plan, model.config);
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

}  // namespace

void merge_to_folder(const Recipe& recipe, const fs::path& out, const MergeToFolderOptions& options,
                     const std::string& recipe_text) {
    const fs::path final_path = checked_output(out);
    auto sources = open_sources(recipe, options.sources);
    check_sources(recipe, sources);
    for (const auto& source : sources)
        if (const auto remark = remark_on_tokens(*source); options.warn && !remark.empty())
            options.warn(remark);
    const SourceIndex index = index_sources(sources);
    PartialFolder partial(final_path);
    const fs::path work = partial.path() / ".aligned";
    std::optional<MergedVocabulary> vocabulary;
    if (recipe.tokenizer) {
        vocabulary = merge_vocabularies(recipe, sources, index);
        sources = align_embeddings(recipe, sources, index, *vocabulary, work);
    }
    const Source& donor = *sources[static_cast<std::size_t>(index.at(donor_model(recipe)))];
    auto [plan, config] = plan_model(recipe, sources, index);

    Merger merger(sources, Sharding(), options.seed);
    write_weights(plan, merger, sources, partial.path(), options);
    fs::remove_all(work);  // mapped files stay readable
    if (vocabulary) set_vocabulary(*vocabulary, donor, config);
    write_config(config, recipe, partial.path());
    write_companions(recipe, sources, donor, vocabulary ? &*vocabulary : nullptr, partial.path());
    write_atomically(partial.path() / recipe_file_name,
                     recipe_text.empty() ? to_yaml(recipe) : recipe_text);
    partial.publish();
}

}  // namespace galapagos
