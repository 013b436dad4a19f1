#include "island/candidate_model.hpp"

#include <algorithm>
#include <utility>

#include "base/files.hpp"
#include "base/json.hpp"

namespace galapagos {
namespace {

/// A key of generation_config.json, else of config.json; null when neither has it.
nlohmann::json generation_setting(const ModelFolder& folder, const char* key) {
    const auto path = folder.folder() / "generation_config.json";
    if (std::filesystem::exists(path)) {
        const auto document = parse_json_strict(read_text(path), path.string());
        if (document.is_object() && document.contains(key) && !document[key].is_null())
            return document[key];
    }
    return folder.config().value(key, nlohmann::json());
}

}  // namespace

std::vector<std::int32_t> end_of_text_ids(const ModelFolder& folder) {
    const auto setting = generation_setting(folder, "eos_token_id");
    if (setting.is_number_integer()) return {setting.get<std::int32_t>()};
    std::vector<std::int32_t> ids;
    if (setting.is_array())
        for (const auto& id : setting)
            if (id.is_number_integer()) ids.push_back(id.get<std::int32_t>());
    return ids;
}

std::optional<std::int32_t> prefix_id(const ModelFolder& folder) {
    const auto bos = generation_setting(folder, "bos_token_id");
    if (bos.is_number_integer()) return bos.get<std::int32_t>();
    const auto ends = end_of_text_ids(folder);
    return ends.empty() ? std::nullopt : std::optional(ends.front());
}

Architecture candidate_architecture(const nlohmann::json& config, const Source& layout_source,
                                    const std::vector<std::shared_ptr<const Source>>& sources) {
    auto architecture = Architecture::from_config(
        config, (layout_source.folder().folder() / "config.json").string());
    architecture.tied_embeddings = std::all_of(
        sources.begin(), sources.end(), [](const auto& source) { return source->folder().tied(); });
    return architecture;
}

CandidateModel::CandidateModel(std::vector<std::shared_ptr<const Source>> sources,
                               const Source& layout_source, Architecture architecture,
                               const LayerRoute& route, const Communicator& group, DType dtype,
                               ArenaUse use)
    : sources_(std::move(sources)),
      index_(index_sources(sources_)),
      architecture_(std::move(architecture)),
      first_route_(route.hops.empty() ? LayerRoute::plain(architecture_.layers) : route),
      sharding_(layout_source.config(), group.size(), group.rank()),
      group_(group),
      arena_(arena_specs(architecture_, sharding_, dtype), use) {}

}  // namespace galapagos
