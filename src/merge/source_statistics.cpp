#include "merge/source_statistics.hpp"

#include "merge/arcee_fusion.hpp"

namespace galapagos {

const PairStatistics& SourceStatistics::pair(const StoredTensor& a, const StoredTensor& b,
                                             std::int64_t count) {
    const Key key{a.data, b.data};
    auto found = pairs_.find(key);
    if (found == pairs_.end())
        found = pairs_.emplace(key, pair_statistics(passes_->pair_products(a, b, count))).first;
    return found->second;
}

DeltaStatistics& SourceStatistics::delta(const DeltaPair& pair) {
    const auto [entry, is_new] = deltas_.try_emplace(Key{pair.base.data, pair.source.data});
    if (is_new) entry->second.fixed = fixed_point_of(passes_->largest_magnitude(pair));
    return entry->second;
}

DeltaLadder& SourceStatistics::ladder(const DeltaPair& pair) {
    DeltaStatistics& statistics = delta(pair);
    if (!statistics.ladder)
        statistics.ladder = std::make_unique<DeltaLadder>(pair, statistics.fixed, *passes_);
    return *statistics.ladder;
}

const DeltaStatistics& SourceStatistics::with_masks(const DeltaPair& pair,
                                                    const MaskStream& stream) {
    DeltaStatistics& statistics = delta(pair);
    if (!statistics.masks || !(statistics.masks->stream() == stream))
        statistics.masks = std::make_unique<MaskTable>(pair, statistics.fixed, stream, *passes_);
    return statistics;
}

const DeltaStatistics& SourceStatistics::with_ranks(const DeltaPair& pair,
                                                    std::int64_t row_length) {
    DeltaStatistics& statistics = delta(pair);
    if (!statistics.ranks) {
        statistics.ranks = passes_->magnitude_ranks(pair, row_length);
        statistics.ranked = pair.count;
    }
    return statistics;
}

namespace {

std::vector<std::uintptr_t> group_key(const TensorJob& job, const std::byte* base,
                                      std::uintptr_t kind) {
    std::vector<std::uintptr_t> key{kind, reinterpret_cast<std::uintptr_t>(base)};
    for (const JobInput& input : job.inputs)
        key.push_back(reinterpret_cast<std::uintptr_t>(input.tensor.data));
    return key;
}

}  // namespace

const std::vector<double>& SourceStatistics::products(const TensorJob& job, bool deltas,
                                                      Products of) {
    const auto [entry, is_new] = products_.try_emplace(
        group_key(job, deltas ? job.base.data : nullptr, static_cast<std::uintptr_t>(of)));
    if (is_new)
        entry->second = of == Products::whole
                            ? passes_->products(job, deltas)
                            : passes_->line_products(job, deltas, of == Products::columns);
    return entry->second;
}

const SourceStatistics::Fusion& SourceStatistics::fusion(const TensorJob& job,
                                                         bool with_threshold) {
    const auto [entry, is_new] =
        fusions_.try_emplace(Key{job.base.data, job.inputs.front().tensor.data});
    Fusion& fusion = entry->second;
    if (is_new) fusion.divergences = passes_->row_divergences(job);
    if (with_threshold && !fusion.threshold)
        fusion.threshold = importance_threshold(job, fusion.divergences, *passes_);
    return fusion;
}

const SceSettings& SourceStatistics::sce(const TensorJob& job) {
    const auto [entry, is_new] = sce_.try_emplace(group_key(job, job.base.data, 0));
    auto& [select_topk, settings] = entry->second;
    if (is_new || select_topk != job.numbers.select_topk) settings = sce_settings(job, *passes_);
    select_topk = job.numbers.select_topk;
    return settings;
}

std::size_t SourceStatistics::bytes() const {
    std::size_t total = pairs_.size() * sizeof(PairStatistics) + sce_.size() * sizeof(SceSettings);
    for (const auto& entry : products_) total += entry.second.capacity() * sizeof(double);
    for (const auto& entry : fusions_) total += entry.second.divergences.capacity() * sizeof(float);
    for (const auto& entry : deltas_) {
        total += sizeof(DeltaStatistics) +
                 static_cast<std::size_t>(entry.second.ranked) * sizeof(std::uint16_t);
        if (entry.second.ladder) total += entry.second.ladder->bytes();
        if (entry.second.masks) total += entry.second.masks->bytes();
    }
    return total;
}

void SourceStatistics::clear() {
    pairs_.clear();
    deltas_.clear();
    products_.clear();
    fusions_.clear();
    sce_.clear();
}

}  // namespace galapagos
