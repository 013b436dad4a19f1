// The passes over whole tensors that statistics need. The CPU makes them over the mapped files, a
// GPU over sources in its own memory; what is made of their numbers is the same for both.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "merge/delta.hpp"
#include "merge/job.hpp"
#include "merge/magnitude.hpp"
#include "merge/order_statistic.hpp"
#include "merge/random_mask.hpp"

namespace galapagos {

class Lockstep;
struct CutRequest;
struct PairProducts;

/// For each input of a job: elements that it shares with others, and that it alone has changed.
struct InputChanges {
    std::vector<std::int64_t> shared, alone;

    bool operator==(const InputChanges&) const = default;
};

/// Bit patterns of magnitudes from `low` to `high`, in buckets of 1 << shift.
struct KeyRange {
    std::uint32_t low = 0;
    std::uint32_t high = magnitude_bits;
    int shift = 0;

    std::size_t buckets() const noexcept { return ((high - low) >> shift) + std::size_t{1}; }
};

/// The elements in a bucket, and the sum of their magnitudes in fixed-point units.
struct KeyBucket {
    std::int64_t count = 0;
    std::int64_t sum = 0;

    bool operator==(const KeyBucket&) const = default;
};

/// A number for each element, from 0 to 65535, in the memory of who made the pass.
using Ranks = std::shared_ptr<const std::uint16_t[]>;

/// L1 norms of a task vector, before and after thinning, in fixed-point units.
struct ThinnedNorms {
    std::int64_t total = 0;
    std::int64_t kept = 0;

    bool operator==(const ThinnedNorms&) const = default;
};

/// A task vector to be thinned by rank, and what comes of it.
struct RankThinning {
    DeltaPair pair;
    FixedPoint fixed;
    const JobInput* input = nullptr;
    MaskStream stream;
    ThinnedNorms norms;
};

class StatisticPasses {
  public:
    virtual ~StatisticPasses() = default;

    /// Set where the ranks of a group count together, each its part. All passes are then collective
    /// and made within it, but ranks, products, divergences and importances_at.
    virtual Lockstep* lockstep() { return nullptr; }

    /// The largest magnitude of a task vector, infinities and NaNs among them.
    virtual std::uint32_t largest_magnitude(const DeltaPair& pair) = 0;
    /// Sums are zero where the task vector isn't finite.
    virtual std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                              const KeyRange& range) = 0;
    /// Answers those cuts of find_cuts that fall inside a step of their ladder.
    virtual void cut_steps(std::span<CutRequest* const> requests) = 0;
    /// Sums of magnitudes, one for each of the probability_levels that a random word can have.
    virtual std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                                    const MaskStream& stream) = 0;
    /// Where |delta| stands in its row in ascending order, from 0 (smallest) to 65535 (largest). Of
    /// equal magnitudes the earlier stand lower. A row of one element stands in the middle.
    virtual Ranks magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) = 0;
    /// Inputs' ranks are those of `magnitude_ranks`.
    virtual void thin(std::span<RankThinning> thinnings) = 0;

    /// Squares and products of two tensors.
    virtual PairProducts pair_products(const StoredTensor& a, const StoredTensor& b,
                                       std::int64_t count) = 0;
    /// Products of a job's inputs, less its base where `deltas` is set; see gram.hpp.
    virtual std::vector<double> products(const TensorJob& job, bool deltas) = 0;
    virtual std::vector<double> line_products(const TensorJob& job, bool deltas, bool columns) = 0;
    /// Arcee Fusion; see arcee_fusion.hpp. Places count from the largest importance, from 0.
    virtual std::vector<float> row_divergences(const TensorJob& job) = 0;
    virtual std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                                      const std::vector<float>& divergences,
                                                      const std::vector<std::int64_t>& places) = 0;
    /// SCE: elements where the models differ, and where to cut to keep the k that differ most.
    virtual std::int64_t count_varied(const TensorJob& job) = 0;
    virtual KeyCut cut_variance(const TensorJob& job, std::int64_t k) = 0;
    /// Of each input's changes, as far as the job's threshold selects them.
    virtual std::vector<double> mean_squares(const TensorJob& job) = 0;
    /// RAM: changes beyond the job's epsilon.
    virtual InputChanges count_changes(const TensorJob& job) = 0;
};

/// By this process' threads, where the tensors lie.
StatisticPasses& cpu_passes();

}  // namespace galapagos
