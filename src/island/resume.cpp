#include "island/resume.hpp"

#include "base/json.hpp"
#include "history/history_reader.hpp"
#include "history/run_directory.hpp"

namespace galapagos {

std::vector<std::string> resume_island(const RunLayout& layout, std::uint32_t island,
                                       const CheckpointStore& checkpoints, IslandSearch& search) {
    std::vector<std::string> notes;
    const auto checkpoint = checkpoints.load_newest(notes);
    if (!checkpoint) return notes;
    std::vector<HistoryPart> parts;
    for (const int part : parts_of(layout, island))
        parts.push_back(read_part(layout.part(island, part)));
    auto history = join_parts(std::move(parts));
    notes.insert(notes.end(), history.warnings.begin(), history.warnings.end());
    std::erase_if(history.candidates,
                  [&](const CandidateRecord& c) { return c.generation >= checkpoint->generation; });
    search.load(parse_cbor_strict(checkpoint->state, "the state in a checkpoint"),
                history.candidates);
    return notes;
}

}  // namespace galapagos
