// A Hugging Face model folder: config.json, weights in one or several safetensors files, tokenizer
// files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "weights/safetensors.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

/// Whether config.json says that the output head is the embedding, or means it by saying nothing.
/// Throws Error naming `origin` if that is neither true nor false.
bool says_tied(const nlohmann::json& config, const std::string& origin);

/// An opened model folder. All of its weight files are mapped; views stay valid as long as it
/// lives.
///
/// With an index, every tensor of the shards that it names counts, whether the index lists the
/// tensor or not.
///
/// Tied weights: where config.json (or the architecture's default) ties the output head to the
/// embedding, the folder shows the embedding only, under its usual name, whichever of the two the
/// files hold. A stored head with contents of its own counts as one.
class ModelFolder {
  public:
    /// Opens `folder` and checks every file in it. Throws Error that names the file and field at
    /// fault.
    explicit ModelFolder(const std::filesystem::path& folder);

    const std::filesystem::path& folder() const noexcept { return folder_; }
    const nlohmann::json& config() const noexcept { return config_; }
    /// True if the output head is the embedding: config.json says so, and no other head is stored.
    bool tied() const noexcept { return tied_; }

    /// Names of all tensors, sorted.
    const std::vector<std::string>& tensor_names() const noexcept { return names_; }
    bool has(std::string_view name) const;
    /// Throws Error with the nearest name if it is not there.
    TensorView tensor(std::string_view name) const;

    /// Leaves out the rows of embedding and output head from `tokens` on, as if the model had no
    /// more tokens than that; does nothing to a model with fewer, or of an unknown architecture.
    void keep_tokens(std::int64_t tokens);
    /// How many rows keep_tokens left out.
    std::int64_t tokens_left_out() const noexcept { return tokens_left_out_; }

    /// The weight files, in order of name.
    const std::vector<SafetensorsFile>& weight_files() const noexcept { return files_; }
    /// Names of the other files that belong to a model and are there: generation config, tokenizer,
    /// chat template, licence. (config.json and the weights are not among them.) An exported model
    /// takes these over from its base.
    const std::vector<std::string>& companion_files() const noexcept { return companions_; }
    /// Names of all files that were read or are companions: what a copy of the model needs.
    std::vector<std::string> all_files() const;

  private:
    void open_weight_files();
    void index_tensors();
    void resolve_tied_head();

    std::filesystem::path folder_;
    nlohmann::json config_;
    bool tied_ = false;
    std::vector<SafetensorsFile> files_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, TensorView> tensors_;
    std::vector<std::string> companions_;
    std::int64_t tokens_left_out_ = 0;
};

}  // namespace galapagos
