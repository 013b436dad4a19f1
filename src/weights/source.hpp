// A source model of a merge: a folder, or a folder with a LoRA adapter, opened once and resident
// from then on.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/model_folder.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

/// How a source is named and where it lies.
struct SourceSpec {
    std::string name;
    std::filesystem::path model;
    std::optional<std::filesystem::path> adapter;
};

/// Splits the reference that recipes use, "model" or "model+adapter", at the + behind a folder that
/// is there.
SourceSpec parse_source_reference(std::string_view reference);

struct SourceOptions {
    /// Where adapted tensors and file digests are kept; empty: `default_cache_folder()`. Processes
    /// may share it.
    std::filesystem::path cache_folder;
    /// A copy of the model folder that is read instead of it, nearer to this process.
    std::filesystem::path copy;
    /// Rows of embedding and output head that are read of a model that has more; 0: all.
    std::int64_t tokens = 0;
};

/// $GALAPAGOS_CACHE, else $XDG_CACHE_HOME/galapagos, else "galapagos-<user id>" in the directory
/// for temporary files.
std::filesystem::path default_cache_folder();

/// An opened source. Reading is thread-safe. All views stay valid as long as the source lives.
class Source {
  public:
    /// Maps the model. With an adapter, computes the changed tensors once, keeps them in a cache
    /// file named by the contents of model and adapter, and maps that; concurrent processes are
    /// safe and find each other's work. Throws Error naming the file (and the adapter setting that
    /// is not supported).
    static std::shared_ptr<const Source> open(const SourceSpec& spec,
                                              const SourceOptions& options = {});

    /// The same source with the tensors of the given files in place of its own, or beside them.
    static std::shared_ptr<const Source> with_tensors(
        const Source& source, const std::vector<std::filesystem::path>& files);

    const std::string& name() const noexcept { return spec_.name; }
    const SourceSpec& spec() const noexcept { return spec_; }
    const nlohmann::json& config() const noexcept { return folder_.config(); }
    /// The model folder without the adapter.
    const ModelFolder& folder() const noexcept { return folder_; }

    const std::vector<std::string>& tensor_names() const noexcept { return folder_.tensor_names(); }
    bool has(std::string_view name) const;
    /// The mapped tensor, replaced or with the adapter applied. Throws Error with the nearest name
    /// if it is not there.
    TensorView tensor(std::string_view name) const;

    /// SHA-256 over the names and SHA-256 digests of config.json, the weight files and the
    /// adapter's files: the identity of what is merged. Reads every file on first use; digests are
    /// remembered in the cache folder, keyed by inode, size and time.
    const std::string& sha256() const;

  private:
    Source(const SourceSpec& spec, const SourceOptions& options);
    void apply_adapter();

    SourceSpec spec_;
    std::filesystem::path cache_folder_;
    ModelFolder folder_;
    std::vector<std::filesystem::path> adapter_files_;
    std::optional<SafetensorsFile> adapted_;
    std::vector<SafetensorsFile> replaced_;
    mutable std::once_flag hashed_;
    mutable std::string sha256_;
};

/// Rows of the embedding; 0 for an architecture that is not known.
std::int64_t token_count(const Source& source);
/// What a user should know of tokens that were left out; empty if none were.
std::string remark_on_tokens(const Source& source);

/// The tensor that `name` stands for in a source: the embedding for an output head that the source
/// leaves to it, else `name`, whether that is there or not.
std::string stored_name(const Source& source, const std::string& name);

/// What sources that are merged may have of their own.
enum class Vocabularies { same, may_differ };

/// Throws Error that names the first difference between the first source and another that would
/// make merging them meaningless: architecture, sizes in config.json, tensor names, shapes, tied
/// head, token numbers. Element types may differ.
void check_compatible(const std::vector<std::shared_ptr<const Source>>& sources,
                      Vocabularies vocabularies = Vocabularies::same);

}  // namespace galapagos
