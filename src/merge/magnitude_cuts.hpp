// Where to cut a task vector so that its k largest magnitudes remain.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "merge/delta_ladder.hpp"

namespace galapagos {

/// One top-k: in, what to select from; out, where to cut.
struct CutRequest {
    DeltaLadder* ladder = nullptr;
    std::int64_t k = 0;

    std::uint32_t threshold = 0;  ///< magnitudes above are kept
    std::int64_t last_tie = 0;    ///< equal ones up to this element, too
    std::int64_t kept_sum = 0;    ///< L1 norm of what is kept, in units

    // Scratch, reused from candidate to candidate.
    std::vector<std::uint64_t> found;
    DeltaLadder::TieCounts* ties = nullptr;
};

/// Answers all requests, with one parallel pass over those deltas of which the ladder doesn't know
/// enough yet. Of equal magnitudes, those of lower index are kept: a stable descending sort, as
/// torch's on CPU.
void find_cuts(std::span<CutRequest> requests);

}  // namespace galapagos
