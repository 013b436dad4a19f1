#include "merge/arcee_fusion.hpp"
#include "merge/della.hpp"
#include "merge/gram.hpp"
#include "merge/key_counts.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/mask_table.hpp"
#include "merge/ram.hpp"
#include "merge/sce.hpp"
#include "merge/slerp.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos {

namespace {

class CpuPasses : public StatisticPasses {
  public:
    std::uint32_t largest_magnitude(const DeltaPair& pair) override {
        return galapagos::largest_magnitude(pair);
    }
    std::vector<KeyBucket> count_keys(const DeltaPair& pair, const FixedPoint& fixed,
                                      const KeyRange& range) override {
        return galapagos::count_keys(pair, fixed, range);
    }
    void cut_steps(std::span<CutRequest* const> requests) override {
        galapagos::cut_steps(requests);
    }
    std::vector<std::int64_t> sums_by_level(const DeltaPair& pair, const FixedPoint& fixed,
                                            const MaskStream& stream) override {
        return galapagos::sums_by_level(pair, fixed, stream);
    }
    Ranks magnitude_ranks(const DeltaPair& pair, std::int64_t row_length) override {
        const auto ranks = std::make_shared<const std::vector<std::uint16_t>>(
            galapagos::magnitude_ranks(pair, row_length));
        return {ranks, ranks->data()};
    }
    void thin(std::span<RankThinning> thinnings) override {
        for (RankThinning& one : thinnings)
            one.norms = thinned_norms(one.pair, one.fixed, *one.input, one.stream);
    }
    PairProducts pair_products(const StoredTensor& a, const StoredTensor& b,
                               std::int64_t count) override {
        return galapagos::pair_products(a, b, count);
    }
    std::vector<double> products(const TensorJob& job, bool deltas) override {
        return gram_products({&job, deltas});
    }
    std::vector<double> line_products(const TensorJob& job, bool deltas, bool columns) override {
        return galapagos::line_products({&job, deltas}, columns);
    }
    std::vector<float> row_divergences(const TensorJob& job) override {
        return galapagos::row_divergences(job);
    }
    std::vector<std::uint32_t> importances_at(const TensorJob& job,
                                              const std::vector<float>& divergences,
                                              const std::vector<std::int64_t>& places) override {
        return galapagos::importances_at(job, divergences, places);
    }
    std::int64_t count_varied(const TensorJob& job) override {
        return galapagos::count_varied(job);
    }
    KeyCut cut_variance(const TensorJob& job, std::int64_t k) override {
        return galapagos::cut_variance(job, k);
    }
    std::vector<double> mean_squares(const TensorJob& job) override {
        return galapagos::mean_squares(job);
    }
    InputChanges count_changes(const TensorJob& job) override {
        return galapagos::count_changes(job);
    }
};

}  // namespace

StatisticPasses& cpu_passes() {
    static CpuPasses passes;
    return passes;
}

}  // namespace galapagos
