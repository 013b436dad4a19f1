// A candidate's tensors as jobs: what a merger on any machine starts from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "merge/job_builder.hpp"
#include "merge/plan.hpp"
#include "merge/source_statistics.hpp"
#include "weights/arena.hpp"
#include "weights/sharding.hpp"
#include "weights/source.hpp"

namespace galapagos {

class Communicator;
class TensorGroup;

/// Builds the jobs of one candidate after the other over a fixed set of sources, with all that
/// statistics say about them. Parameters as the Merger's.
class CandidateJobs {
  public:
    /// Where the part of a job's tensor that this rank holds goes.
    struct Target {
        MutableTensorView out;
        TensorSlice slice;
        Shape shape;  ///< of the whole tensor
    };
    /// A tensor that is no job: its part is copied.
    struct Copy {
        TensorView whole;
        TensorSlice slice;
        MutableTensorView out;
    };

    /// The passes read the sources for the statistics, and must outlive this.
    CandidateJobs(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
                  std::uint64_t seed, TensorGroup* group, StatisticPasses& passes = cpu_passes());

    /// All tensors of the arena, whose memory is not touched. Collective over the group: what fails
    /// on one rank fails on all. Its ranks share out the statistics, but for those that the passes
    /// count together. Throws Error where plan and arena don't fit.
    void build(const MergePlan& plan, Arena& out);
    /// One whole tensor.
    void build(const TensorMerge& tensor, std::optional<std::uint64_t> random_seed,
               const MutableTensorView& out);

    // Of the candidate that was built last; a job and its target have the same number.
    std::span<const TensorJob> jobs() const { return {jobs_.data(), used_}; }
    std::span<const Target> targets() const { return {targets_.data(), used_}; }
    std::span<const Copy> copies() const { return copies_; }

    SourceStatistics& statistics() { return statistics_; }

  private:
    void start();
    void add_all(const MergePlan& plan, Arena& out);
    void add(const TensorMerge& tensor, std::uint64_t mask_seed, const MutableTensorView& out,
             TensorSlice slice);
    bool is_dealt(const StatisticRequest& request) const;
    void deal_requests(int ranks, int rank);
    void compute_statistics(int ranks, int rank);
    void take_steps(const Communicator& ranks, const std::function<void()>& steps);
    void share_outcomes(TensorGroup& ranks);
    void apply_outcomes();

    std::vector<std::shared_ptr<const Source>> sources_;
    Sharding sharding_;
    std::uint64_t seed_;
    TensorGroup* group_;
    SourceStatistics statistics_;

    // Kept from candidate to candidate, with their memory.
    std::vector<TensorJob> jobs_;
    std::vector<Target> targets_;
    std::vector<Copy> copies_;
    std::vector<StatisticRequest> requests_;
    std::vector<std::size_t> mine_;
    std::vector<std::int64_t> loads_;
    std::vector<Outcome> outcomes_, gathered_;
    std::vector<CutRequest> cuts_;
    std::size_t used_ = 0;
};

}  // namespace galapagos
