// Task vectors of eight neighbouring elements, thinned by magnitude or at random.
#pragma once

#include <cstdint>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/mask_tile.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {

// A pack's random words are made together with the packs beside it: by a function
//     make_words(const DeviceJob&, const MaskKey&, const Pack&, RandomWord (&)[pack_elements])
// that all sixteen threads of a tile call, those with empty packs as well. It ends in one of these.

/// The words of a pack, read from its tile.
GALAPAGOS_HOST_DEVICE inline void words_from_tile(const MaskTile& tile, const Pack& pack,
                                                  RandomWord (&words)[pack_elements]) {
    const int j = static_cast<int>(pack.first % mask_tile);
    for (int i = 0; i < pack_elements; ++i) words[i] = word_in_tile(tile, j + i);
}

/// The words of a pack that is in no tile, or in two.
GALAPAGOS_HOST_DEVICE inline void words_one_by_one(const DeviceJob& job, const MaskKey& key,
                                                   const Pack& pack,
                                                   RandomWord (&words)[pack_elements]) {
    for (int i = 0; i < pack_elements; ++i)
        if (i < pack.count) words[i] = word_of_element(key, job.runs.global(pack.first + i));
}

/// Thins by magnitude.
GALAPAGOS_HOST_DEVICE inline void keep_largest(const DeviceJob& job, const DeviceInput& input,
                                               const Pack& pack, float (&values)[pack_elements]) {
    const std::int64_t first = job.runs.global(pack.first);
    for (int i = 0; i < pack_elements; ++i)
        values[i] = keep_by_magnitude(
            values[i], input, job.side_by_side ? first + i : job.runs.global(pack.first + i));
}

/// Thins at random, with one probability for all elements or by their ranks.
template <typename Words>
GALAPAGOS_HOST_DEVICE inline void keep_at_random(const DeviceJob& job, const DeviceInput& input,
                                                 const Pack& pack, Words&& make_words,
                                                 float (&values)[pack_elements]) {
    RandomWord words[pack_elements] = {};
    make_words(job, mask_key(job.seed, job.name_hash, input.position), pack, words);
    if (input.sparsity == Sparsity::random) {
        for (int i = 0; i < pack_elements; ++i)
            values[i] = words[i] < input.keep_below ? values[i] : 0.0f;
        return;
    }
    std::uint32_t ranks[pack_elements];
    load_halves(job, input.ranks, pack, ranks);
    for (int i = 0; i < pack_elements; ++i)
        values[i] = keep_by_rank(values[i], input, ranks[i], words[i]);
}

/// values = the input's task vector against the base, zero where it is dropped.
template <typename Words>
GALAPAGOS_HOST_DEVICE inline void load_delta(const DeviceJob& job, const DeviceInput& input,
                                             const Pack& pack, const float (&base)[pack_elements],
                                             Words&& make_words, float (&values)[pack_elements]) {
    load_pack(job, input.tensor, pack, values);
    for (int i = 0; i < pack_elements; ++i) values[i] = values[i] - base[i];
    if (input.sparsity == Sparsity::magnitude)
        keep_largest(job, input, pack, values);
    else if (input.sparsity == Sparsity::random || input.sparsity == Sparsity::by_rank)
        keep_at_random(job, input, pack, make_words, values);
}

}  // namespace galapagos::cuda
