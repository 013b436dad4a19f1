// A recipe in, a Hugging Face folder out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "merge/recipe.hpp"
#include "weights/source.hpp"

namespace galapagos {

struct MergeToFolderOptions {
    /// For random masks, if the recipe sets no `random_seed`.
    std::uint64_t seed = 0;
    std::uint64_t max_shard_bytes = 5'000'000'000;
    SourceOptions sources;
    /// Called after each tensor with the number done and the total.
    std::function<void(std::size_t done, std::size_t total)> progress;
    /// Called with what a user should know and what ends nothing.
    std::function<void(const std::string& remark)> warn;
};

/// Name of the file in the output folder that holds the recipe; mergekit uses the same.
inline constexpr const char* recipe_file_name = "mergekit_config.yml";

/// Merges `recipe` into the new folder `out`: weights, config.json (layer count and element type
/// brought up to date), tokenizer and generation config of the base, and the recipe itself
/// (`recipe_text` if given, else `to_yaml(recipe)`). Streams: memory holds one tensor at a time.
/// Works in a temporary folder beside `out` and renames it at the end; on failure nothing is left.
/// Throws UsageError if `out` exists already, Error for what goes wrong with the sources.
void merge_to_folder(const Recipe& recipe, const std::filesystem::path& out,
                     const MergeToFolderOptions& options = {}, const std::string& recipe_text = {});

}  // namespace galapagos
