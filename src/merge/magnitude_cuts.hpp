// Where to cut a task vector so that its k largest magnitudes remain.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "merge/delta_ladder.hpp"
#include "merge/placed_key.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

/// One top-k: in, what to select from; out, where to cut.
struct CutRequest {
    DeltaLadder* ladder = nullptr;
    std::int64_t k = 0;

    std::uint32_t threshold = 0;  ///< magnitudes above are kept
    std::int64_t last_tie = 0;    ///< equal ones up to this element, too
    std::int64_t kept_sum = 0;    ///< L1 norm of what is kept, in units

    // Scratch, reused from candidate to candidate.
    std::vector<PlacedKey> found;
    DeltaLadder::TieCounts* ties = nullptr;

    const DeltaLadder::Step& step() const { return ladder->step_of(k); }
    /// How many of the step's elements are kept.
    std::int64_t rank() const { return k - step().above; }
};

/// Answers all requests, with one pass over those deltas of which the ladder doesn't know enough
/// yet. Of equal magnitudes, those of lower index are kept: a stable descending sort, as torch's on
/// CPU. The ladders' passes must be `passes`.
void find_cuts(std::span<CutRequest> requests, StatisticPasses& passes = cpu_passes());

/// Those that fall inside a step, by all threads.
void cut_steps(std::span<CutRequest* const> requests);

}  // namespace galapagos
