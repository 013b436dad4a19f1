#include "merge/source_statistics.hpp"

#include "merge/arcee_fusion.hpp"

namespace galapagos {

namespace {

/// The entry of a key. It is there once it is whole: what fails leaves none behind for the next
/// candidate.
template <typename Map, typename Make>
auto& made_once(Map& map, const typename Map::key_type& key, const Make& make) {
    auto found = map.find(key);
    if (found == map.end()) found = map.emplace(key, make()).first;
    return found->second;
}

}  // namespace

const PairStatistics& SourceStatistics::pair(const StoredTensor& a, const StoredTensor& b,
                                             std::int64_t count) {
    return made_once(pairs_, {a.data, b.data},
                     [&] { return pair_statistics(passes_->pair_products(a, b, count)); });
}

DeltaStatistics& SourceStatistics::delta(const DeltaPair& pair) {
    const Key key{pair.base.data, pair.source.data};
    return made_once(deltas_, key, [&] {
        DeltaStatistics statistics;
        statistics.fixed = fixed_point_of(passes_->largest_magnitude(pair));
        return statistics;
    });
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

const std::uint16_t* SourceStatistics::ranks(const DeltaPair& pair, std::int64_t row_length) {
    const Key key{pair.base.data, pair.source.data};
    return made_once(ranks_, key,
                     [&] {
                         return Ranked{passes_->magnitude_ranks(pair, row_length), pair.count};
                     })
        .ranks.get();
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
    const auto key =
        group_key(job, deltas ? job.base.data : nullptr, static_cast<std::uintptr_t>(of));
    return made_once(products_, key, [&] {
        return of == Products::whole ? passes_->products(job, deltas)
                                     : passes_->line_products(job, deltas, of == Products::columns);
    });
}

const SourceStatistics::Fusion& SourceStatistics::fusion(const TensorJob& job,
                                                         bool with_threshold) {
    const Key key{job.base.data, job.inputs.front().tensor.data};
    Fusion& fusion = made_once(fusions_, key, [&] {
        return Fusion{passes_->row_divergences(job), std::nullopt};
    });
    if (with_threshold && !fusion.threshold)
        fusion.threshold = importance_threshold(job, fusion.divergences, *passes_);
    return fusion;
}

const SceSettings& SourceStatistics::sce(const TensorJob& job) {
    const auto made = [&] {
        return std::pair(job.numbers.select_topk, sce_settings(job, *passes_));
    };
    auto& entry = made_once(sce_, group_key(job, job.base.data, 0), made);
    if (entry.first != job.numbers.select_topk) entry = made();
    return entry.second;
}

std::size_t SourceStatistics::bytes() const {
    std::size_t total = pairs_.size() * sizeof(PairStatistics) + sce_.size() * sizeof(SceSettings);
    for (const auto& entry : products_) total += entry.second.capacity() * sizeof(double);
    for (const auto& entry : fusions_) total += entry.second.divergences.capacity() * sizeof(float);
    for (const auto& entry : deltas_) {
        total += sizeof(DeltaStatistics);
        if (entry.second.ladder) total += entry.second.ladder->bytes();
        if (entry.second.masks) total += entry.second.masks->bytes();
    }
    for (const auto& entry : ranks_)
        total += static_cast<std::size_t>(entry.second.count) * sizeof(std::uint16_t);
    return total;
}

void SourceStatistics::forget_counts() {
    deltas_.clear();
    sce_.clear();
}

void SourceStatistics::clear() {
    forget_counts();
    pairs_.clear();
    ranks_.clear();
    products_.clear();
    fusions_.clear();
}

}  // namespace galapagos
