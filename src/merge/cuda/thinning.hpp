// Task vectors of eight neighbouring elements, thinned by magnitude or at random.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/mask_tile.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

// A pack's eight random words are made together with the packs beside it: by a function
//     PackedBytes make_words(const DeviceJob&, const MaskKey&, const Pack&)
// that all sixteen threads of a tile call, those with empty packs as well. It ends in one of these.

/// The words of a pack, read from its tile, where they lie side by side.
GALAPAGOS_HOST_DEVICE inline PackedBytes words_from_tile(const MaskTile& tile, const Pack& pack) {
    const int j = static_cast<int>(pack.first % mask_tile);
    return *reinterpret_cast<const PackedBytes*>(&tile.word[word_of(j)][lane_of(j)]);
}

/// The words of a pack that is in no tile, or in two.
GALAPAGOS_HOST_DEVICE inline PackedBytes words_one_by_one(const DeviceJob& job, const MaskKey& key,
                                                          const Pack& pack) {
    RawPack words = {};
    GALAPAGOS_ROLLED
    for (int i = 0; i < pack.count; ++i)
        put_bits(words, RawPlace(i, DType::bf16),
                 word_of_element(key, job.runs.global(pack.first + i)));
    return words.low;
}

/// Whether elements at `last` and before are told apart from later ones within eight from `first`.
GALAPAGOS_HOST_DEVICE inline bool is_cut(std::int64_t last, std::int64_t first) {
    return first <= last && last < first + pack_elements - 1;
}

/// One bit for each element of a pack: whether it lies at `last` or before.
GALAPAGOS_HOST_DEVICE inline std::uint32_t elements_up_to(const DeviceJob& job, std::int64_t last,
                                                          const Pack& pack) {
    std::uint32_t bits = 0;
    GALAPAGOS_ROLLED
    for (int i = 0; i < pack.count; ++i)
        bits |= (job.runs.global(pack.first + i) <= last ? 1u : 0u) << i;
    return bits;
}

/// Thins by magnitude. Nearly all packs lie on one side of the ties, and have one threshold.
GALAPAGOS_HOST_DEVICE inline void keep_largest(const DeviceJob& job, const DeviceInput& input,
                                               const PlacedPack& pack,
                                               float (&values)[pack_elements]) {
    const std::int64_t first = pack.global;
    if (job.side_by_side && !is_cut(input.last_tie, first) &&
        !is_cut(input.last_dropped_tie, first)) {
        const Thresholds thresholds(input, first <= input.last_tie,
                                    first <= input.last_dropped_tie);
        if (input.ceiling == no_ceiling)
            for (float& x : values) x = thresholds.reaches(x) ? x : 0.0f;
        else
            for (float& x : values) x = thresholds.keep(x);
        return;
    }
    const std::uint32_t ties = elements_up_to(job, input.last_tie, pack);
    const std::uint32_t dropped_ties = elements_up_to(job, input.last_dropped_tie, pack);
    for (int i = 0; i < pack_elements; ++i)
        values[i] =
            Thresholds(input, (ties >> i & 1u) != 0, (dropped_ties >> i & 1u) != 0).keep(values[i]);
}

/// Thins at random, with one probability for all elements or by their ranks.
template <typename Words>
GALAPAGOS_HOST_DEVICE inline void keep_at_random(const DeviceJob& job, const DeviceInput& input,
                                                 const PlacedPack& pack, Words&& make_words,
                                                 float (&values)[pack_elements]) {
    const PackedBytes words =
        make_words(job, mask_key(job.seed, job.name_hash, input.position), pack);
    if (input.sparsity == Sparsity::random) {
        for (int i = 0; i < pack_elements; ++i)
            values[i] = half_of(words, i) < input.keep_below ? values[i] : 0.0f;
        return;
    }
    const PackedBytes ranks = load_halves(job, input.ranks, pack);
    for (int i = 0; i < pack_elements; ++i)
        values[i] = keep_by_rank(values[i], input, half_of(ranks, i), half_of(words, i));
}

/// An input's values become its task vector against the base, zero where it is dropped.
template <typename Words>
GALAPAGOS_HOST_DEVICE inline void make_delta(const DeviceJob& job, const DeviceInput& input,
                                             const PlacedPack& pack,
                                             const float (&base)[pack_elements], Words&& make_words,
                                             float (&values)[pack_elements]) {
    for (int i = 0; i < pack_elements; ++i) values[i] = values[i] - base[i];
    if (input.sparsity == Sparsity::magnitude)
        keep_largest(job, input, pack, values);
    else if (input.sparsity == Sparsity::random || input.sparsity == Sparsity::by_rank)
        keep_at_random(job, input, pack, make_words, values);
}

}  // namespace galapagos::cuda
