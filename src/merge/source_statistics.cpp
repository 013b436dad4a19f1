#include "merge/source_statistics.hpp"

namespace galapagos {

const PairStatistics& SourceStatistics::pair(const StoredTensor& a, const StoredTensor& b,
                                             std::int64_t count) {
    const Key key{a.data, b.data};
    auto found = pairs_.find(key);
    if (found == pairs_.end()) found = pairs_.emplace(key, pair_statistics(a, b, count)).first;
    return found->second;
}

DeltaStatistics& SourceStatistics::delta(const DeltaPair& pair) {
    const auto [entry, is_new] = deltas_.try_emplace(Key{pair.base.data, pair.source.data});
    if (is_new) entry->second.fixed = fixed_point_of(pair);
    return entry->second;
}

const DeltaStatistics& SourceStatistics::with_ladder(const DeltaPair& pair) {
    DeltaStatistics& statistics = delta(pair);
    if (!statistics.ladder)
        statistics.ladder = std::make_unique<DeltaLadder>(pair, statistics.fixed);
    return statistics;
}

const DeltaStatistics& SourceStatistics::with_masks(const DeltaPair& pair,
                                                    const MaskStream& stream) {
    DeltaStatistics& statistics = delta(pair);
    if (!statistics.masks || !(statistics.masks->stream() == stream))
        statistics.masks = std::make_unique<MaskTable>(pair, statistics.fixed, stream);
    return statistics;
}

std::size_t SourceStatistics::bytes() const {
    std::size_t total = pairs_.size() * sizeof(PairStatistics);
    for (const auto& entry : deltas_) {
        total += sizeof(DeltaStatistics);
        if (entry.second.ladder) total += entry.second.ladder->bytes();
        if (entry.second.masks) total += entry.second.masks->bytes();
    }
    return total;
}

void SourceStatistics::clear() {
    pairs_.clear();
    deltas_.clear();
}

}  // namespace galapagos
