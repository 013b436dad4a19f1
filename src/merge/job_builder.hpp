// From a plan's tensors to jobs: parameters to factors, densities to thresholds.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "merge/job.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/plan.hpp"
#include "merge/source_statistics.hpp"

namespace galapagos {

/// What whole-tensor statistics say about one input at this candidate's parameters. Plain numbers:
/// ranks exchange them.
struct Outcome {
    double gain = 1;       ///< L1 rescaling; for slerp and its like the coefficient of the input
    double base_gain = 1;  ///< slerp's coefficient of the base
    std::int64_t last_tie = 0;
    std::int64_t last_dropped_tie = -1;
    std::uint32_t threshold = 0;
    std::uint32_t ceiling = std::numeric_limits<std::uint32_t>::max();
};

/// Which statistic an input needs.
enum class Statistic : std::uint8_t {
    slerp,
    magnitude,
    masks,
    rank_masks,
    whole_job,  ///< of all inputs together, worked out once a job
};

/// A statistic to be computed: for input `input` of job `job`.
struct StatisticRequest {
    Statistic kind = Statistic::slerp;
    std::size_t job = 0;
    std::size_t input = 0;
    std::int64_t count = 0;  ///< elements of the whole tensor
    std::int64_t k = 0;      ///< magnitude: how many are kept, and dropped above them
    std::int64_t dropped = 0;
    std::uint32_t level = 0;  ///< masks: keep probability
    bool rescale_l1 = false;
    double t = 0;
};

/// Fills `job` from a tensor of the plan, and appends the statistics that it needs. Inputs of
/// weight zero are left out.
void build_job(const TensorMerge& tensor, const std::vector<std::shared_ptr<const Source>>& sources,
               std::uint64_t seed, std::size_t job_number, TensorJob& job,
               std::vector<StatisticRequest>& requests);

/// Whether it comes of those passes that the ranks of a group may make together.
bool is_counted(const StatisticRequest& request, const TensorJob& job);

/// Computes the outcomes of the requests numbered `mine`, in parallel within each; `outcomes` has a
/// place for every request. `cuts` is scratch, reused.
void compute_outcomes(const std::vector<TensorJob>& jobs,
                      const std::vector<StatisticRequest>& requests,
                      const std::vector<std::size_t>& mine, SourceStatistics& statistics,
                      std::vector<CutRequest>& cuts, std::vector<Outcome>& outcomes);

/// Puts an outcome into its job.
void apply_outcome(const StatisticRequest& request, const Outcome& outcome, TensorJob& job);

/// Gives a job what it needs for each row, column or element: too much to be exchanged between
/// ranks, so each works it out for itself. To be called before compute_outcomes.
void add_tables(TensorJob& job, SourceStatistics& statistics);

}  // namespace galapagos
