#include "merge/della.hpp"
#include "merge/key_counts.hpp"
#include "merge/magnitude_cuts.hpp"
#include "merge/mask_table.hpp"
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
};

}  // namespace

StatisticPasses& cpu_passes() {
    static CpuPasses passes;
    return passes;
}

}  // namespace galapagos
