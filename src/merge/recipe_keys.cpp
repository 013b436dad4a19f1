#include "merge/recipe_keys.hpp"

#include <algorithm>

#include "base/nearest.hpp"

namespace galapagos {

void allow_recipe_keys(const YamlReader& reader, const std::vector<std::string>& names) {
    for (const std::string& key : reader.keys()) {
        if (std::find(names.begin(), names.end(), key) != names.end()) continue;
        std::string hint = name_hint(key, names);
        if (!nearest_name(key, names)) hint += "; mergekit passes over this key: leave it out";
        reader.at(key).fail("unknown key '" + key + "'", hint);
    }
}

void refuse_other_files(const YamlReader& root) {
    if (root.has("merge_method") || root.has("layer_path")) return;
    if (root.has("experts"))
        root.fail("this is a config of mergekit-moe",
                  "galapagos merges models of one architecture, and makes no mixtures of them");
    if (root.has("genome"))
        root.fail(
            "this is a config of mergekit-evolve",
            "a search has another format here: config/README.md says which key becomes which");
    if (root.has("galapagos"))
        root.fail("this is the config of a search, not a recipe",
                  "galapagos evolve runs it, and writes the best recipe into its run directory");
    if (root.has("galapagos_task"))
        root.fail("this is a task, not a recipe", "galapagos evaluate MODEL TASK");
}

}  // namespace galapagos
