// The CPU's passes, some of which fail.
#pragma once

#include <functional>
#include <utility>

#include "base/error.hpp"
#include "comm/lockstep.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/slerp.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::test {

class FailingPasses : public StatisticPasses {
  public:
    /// `fails` is asked before every pass.
    explicit FailingPasses(std::function<bool()> fails) : fails_(std::move(fails)) {}

    std::uint32_t largest_magnitude(const DeltaPair& pair) override {
        return passes().largest_magnitude(pair);
    }
    std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                      const KeyRange& range) override {
        return passes().count_keys(pair, fixed, range);
    }
    /// Fails with the ties listed and not yet counted.
    void cut_steps(std::span<CutRequest* const> requests) override {
        try {
            passes().cut_steps(requests);
        } catch (const Error&) {
            for (CutRequest* request : requests)
                if (request->step().one_value()) request->ladder->ties(request->step().low);
            throw;
        }
    }
    std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                            const MaskStream& stream) override {
        return passes().sums_by_level(pair, fixed, stream);
    }
    Ranks magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) override {
        return passes().magnitude_ranks(pair, row_length);
    }
    void thin(std::span<RankThinning> thinnings) override { passes().thin(thinnings); }
    PairProducts pair_products(const StoredTensor& a, const StoredTensor& b,
                               std::int64_t count) override {
        return passes().pair_products(a, b, count);
    }
    std::vector<double> products(const TensorJob& job, bool deltas) override {
        return passes().products(job, deltas);
    }
    std::vector<double> line_products(const TensorJob& job, bool deltas, bool columns) override {
        return passes().line_products(job, deltas, columns);
    }
    std::vector<float> row_divergences(const TensorJob& job) override {
        return passes().row_divergences(job);
    }
    std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                              const std::vector<float>& divergences,
                                              const std::vector<std::int64_t>& places) override {
        return passes().importances_at(job, divergences, places);
    }
    std::int64_t count_varied(const TensorJob& job) override { return passes().count_varied(job); }
    KeyCut cut_variance(const TensorJob& job, std::int64_t k) override {
        return passes().cut_variance(job, k);
    }
    std::vector<double> mean_squares(const TensorJob& job) override {
        return passes().mean_squares(job);
    }
    InputChanges count_changes(const TensorJob& job) override {
        return passes().count_changes(job);
    }

  protected:
    StatisticPasses& passes() {
        if (fails_()) throw Error("a statistic can't be had", "a test");
        return cpu_passes();
    }

  private:
    std::function<bool()> fails_;
};

/// Those of a group's ranks, which count together. A pass that fails does so once all have counted,
/// when the others go on with what was found.
class PassesTogether final : public FailingPasses {
  public:
    PassesTogether(TensorGroup& group, std::function<bool()> fails)
        : FailingPasses(std::move(fails)), lockstep_(group) {}

    Lockstep* lockstep() override { return &lockstep_; }
    std::uint32_t largest_magnitude(const DeltaPair& pair) override {
        const std::uint32_t found =
            lockstep_.largest([&] { return cpu_passes().largest_magnitude(pair); });
        passes();
        return found;
    }

  private:
    Lockstep lockstep_;
};

}  // namespace galapagos::test
