#include "app/run_inputs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace galapagos {
namespace {

/// Whether `list` holds something of this name with another digest.
template <typename Entry>
bool differs(const std::vector<Entry>& list, const Entry& entry) {
    const auto found = std::find_if(list.begin(), list.end(),
                                    [&](const Entry& other) { return other.name == entry.name; });
    return found != list.end() && found->sha256 != entry.sha256;
}

}  // namespace

std::vector<IndexSource> index_sources(const Config& config,
                                       const std::vector<std::shared_ptr<const Source>>& models) {
    const auto entries = config.models();
    std::vector<IndexSource> sources;
    for (std::size_t i = 0; i < models.size(); ++i)
        sources.push_back({entries[i].name, entries[i].reference(), models[i]->sha256()});
    return sources;
}

std::vector<IndexInput> index_inputs(const std::vector<WeightedTask>& tasks,
                                     const Source& first_model) {
    std::vector<IndexInput> inputs;
    for (const auto& [task, weight] : tasks)
        inputs.push_back({fmt::format("task '{}'", task.name()), task.sha256()});
    inputs.push_back(
        {"the tokenizer", sha256_file(first_model.folder().folder() / "tokenizer.json")});
    return inputs;
}

void require_same_inputs(const std::string& run, const RunIndex& before, const RunIndex& now) {
    std::vector<std::string> changed;
    for (const auto& source : now.sources)
        if (differs(before.sources, source))
            changed.push_back(fmt::format("model '{}' ({})", source.name, source.model));
    for (const auto& input : now.inputs)
        if (differs(before.inputs, input)) changed.push_back(input.name);
    if (changed.empty()) return;
    throw UsageError(fmt::format("{}: what the run was made from has changed", run),
                     fmt::format("{}", fmt::join(changed, ", ")),
                     "Bring the old files back, or choose another --run-dir.");
}

}  // namespace galapagos
