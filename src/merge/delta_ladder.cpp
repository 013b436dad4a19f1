#include "merge/delta_ladder.hpp"

#include <algorithm>
#include <span>

#include "merge/magnitude.hpp"

namespace galapagos {

namespace {

using Step = DeltaLadder::Step;

/// Appends the buckets from high keys to low ones as steps, neighbours joined while they are not
/// crowded: a crowded step is one bucket. Bucket i holds the keys from `first` + (i << shift) on.
void append_steps(std::span<const KeyBucket> buckets, std::uint32_t first, int shift,
                  std::int64_t crowd, std::vector<Step>& steps) {
    const std::size_t begin = steps.size();
    for (std::size_t i = buckets.size(); i-- > 0;) {
        if (buckets[i].count == 0) continue;
        const std::uint32_t low = first + (static_cast<std::uint32_t>(i) << shift);
        if (steps.size() == begin || steps.back().count + buckets[i].count > crowd)
            steps.push_back({low, low + ((1u << shift) - 1), 0, 0, 0, 0});
        steps.back().low = low;
        steps.back().count += buckets[i].count;
        steps.back().sum += buckets[i].sum;
    }
}

void add_up(std::vector<Step>& steps, std::int64_t above, std::int64_t sum_above) {
    for (Step& step : steps) {
        step.above = above;
        step.sum_above = sum_above;
        above += step.count;
        sum_above += step.sum;
    }
}

/// Bits below the first buckets', and below those of their parts. The last parts are single values.
constexpr int first_shift = 15, second_shift = 7;

}  // namespace

DeltaLadder::DeltaLadder(const DeltaPair& pair, const FixedPoint& fixed, StatisticPasses& passes)
    : pair_(pair), fixed_(fixed), passes_(&passes), crowd_(crowd(pair.count)) {
    append_steps(passes.count_keys(pair, fixed, {0, magnitude_bits, first_shift}), 0, first_shift,
                 crowd_, steps_);
    add_up(steps_, 0, 0);
}

void DeltaLadder::refine(std::int64_t k) {
    for (;;) {
        const Step step = step_of(k);
        if (step.count <= crowd_ || step.one_value() || k - step.above == step.count) return;
        const std::uint32_t width = step.high - step.low;
        // A tensor of many elements is worth a counter for each value at once.
        const bool twice = width >> second_shift > 0 && pair_.count < 8 * delta_chunk;
        const int shift = twice ? second_shift : 0;
        std::vector<Step> finer;
        append_steps(passes_->count_keys(pair_, fixed_, {step.low, step.high, shift}), step.low,
                     shift, crowd_, finer);
        add_up(finer, step.above, step.sum_above);
        steps_.reserve(steps_.size() + finer.size());  // nothing fails once the step is gone
        const auto place = steps_.begin() + (&step_of(k) - steps_.data());
        steps_.insert(steps_.erase(place), finer.begin(), finer.end());
    }
}

std::pair<DeltaLadder::TieCounts&, bool> DeltaLadder::ties(std::uint32_t value) {
    const auto [entry, is_new] = ties_.try_emplace(value);
    if (is_new) entry->second.resize(static_cast<std::size_t>(delta_chunks(pair_.count)));
    return {entry->second, is_new};
}

const DeltaLadder::Step& DeltaLadder::step_of(std::int64_t k) const {
    // The last step with fewer than k elements above it.
    const auto after = std::partition_point(steps_.begin(), steps_.end(),
                                            [k](const Step& step) { return step.above < k; });
    return *(after - 1);
}

std::int64_t DeltaLadder::total() const noexcept {
    return steps_.empty() ? 0 : steps_.back().sum_above + steps_.back().sum;
}

std::size_t DeltaLadder::bytes() const noexcept {
    std::size_t total = steps_.capacity() * sizeof(Step);
    for (const auto& entry : ties_)
        total += entry.second.capacity() * sizeof(TieCounts::value_type);
    return total;
}

}  // namespace galapagos
