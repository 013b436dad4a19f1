// Merging eight neighbouring elements: all that a GPU thread does, and the host's twin of it.
#pragma once

#include <cstdint>
#include <cstring>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/element.hpp"
#include "merge/cuda/mask_tile.hpp"
#include "merge/cuda/number_formats.hpp"

namespace galapagos::cuda {

inline constexpr int pack_elements = 8;
inline constexpr std::size_t vector_bytes = 16;

/// Elements [first, first + count) of an entry; `first` is a multiple of pack_elements.
struct Pack {
    std::int64_t first;
    int count;
};

/// The entry that a chunk of the launch belongs to: the last that begins there or before.
GALAPAGOS_HOST_DEVICE inline int entry_of(const DeviceJob* jobs, int count, std::int64_t chunk) {
    int low = 0, high = count;
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        (jobs[middle].first_chunk <= chunk ? low : high) = middle;
    }
    return low;
}

/// A chunk's elements in its entry.
struct Chunk {
    std::int64_t begin;
    std::int64_t end;
};
GALAPAGOS_HOST_DEVICE inline Chunk chunk_of(const DeviceJob& job, std::int64_t chunk) {
    const std::int64_t begin = (chunk - job.first_chunk) * chunk_elements;
    const std::int64_t end = begin + chunk_elements;
    return {begin, end < job.count ? end : job.count};
}

/// The pack of a lane in the tile at `tile`; empty where the chunk is at its end.
GALAPAGOS_HOST_DEVICE inline Pack pack_of(const Chunk& chunk, std::int64_t tile, int lane) {
    const std::int64_t first = tile + lane * pack_elements;
    const std::int64_t left = first < chunk.end ? chunk.end - first : 0;
    return {first, static_cast<int>(left < pack_elements ? left : pack_elements)};
}

/// 16 bytes at an address that is a multiple of 16.
struct alignas(vector_bytes) Vector {
    std::uint32_t word[4];
};

GALAPAGOS_HOST_DEVICE inline Vector load_vector(const std::byte* address) {
#if defined(__CUDA_ARCH__)
    const uint4 loaded = __ldg(reinterpret_cast<const uint4*>(address));
    return {{loaded.x, loaded.y, loaded.z, loaded.w}};
#else
    Vector loaded;
    std::memcpy(&loaded, address, sizeof loaded);
    return loaded;
#endif
}

GALAPAGOS_HOST_DEVICE inline void store_vector(std::byte* address, const Vector& value) {
#if defined(__CUDA_ARCH__)
    *reinterpret_cast<uint4*>(address) =
        make_uint4(value.word[0], value.word[1], value.word[2], value.word[3]);
#else
    std::memcpy(address, &value, sizeof value);
#endif
}

GALAPAGOS_HOST_DEVICE inline std::int64_t bytes_of(DType dtype) {
    return dtype == DType::f32 ? 4 : 2;
}

/// One element's bits, at any address.
GALAPAGOS_HOST_DEVICE inline std::uint32_t load_bits(const std::byte* address, DType dtype) {
    std::uint32_t word = 0;
    std::uint16_t half = 0;
    if (dtype == DType::f32)
        std::memcpy(&word, address, sizeof word);
    else
        std::memcpy(&half, address, sizeof half);
    return dtype == DType::f32 ? word : half;
}

GALAPAGOS_HOST_DEVICE inline void store_bits(std::uint32_t bits, std::byte* address, DType dtype) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (dtype == DType::f32)
        std::memcpy(address, &bits, sizeof bits);
    else
        std::memcpy(address, &half, sizeof half);
}

GALAPAGOS_HOST_DEVICE inline float decode(std::uint32_t bits, DType dtype) {
    if (dtype == DType::f32) return float_of(bits);
    return dtype == DType::bf16 ? from_bf16(bits) : from_half(bits);
}

GALAPAGOS_HOST_DEVICE inline std::uint32_t encode(float value, DType dtype) {
    if (dtype == DType::f32) return bits_of(value);
    return dtype == DType::bf16 ? to_bf16(value) : to_half(value);
}

GALAPAGOS_HOST_DEVICE inline void load_vectors(const std::byte* address, DType dtype,
                                               float (&values)[pack_elements]) {
    const Vector low = load_vector(address);
    if (dtype == DType::f32) {
        const Vector high = load_vector(address + vector_bytes);
        for (int i = 0; i < 4; ++i) {
            values[i] = float_of(low.word[i]);
            values[i + 4] = float_of(high.word[i]);
        }
        return;
    }
    for (int i = 0; i < 4; ++i) {
        values[2 * i] = decode(low.word[i] & 0xFFFFu, dtype);
        values[2 * i + 1] = decode(low.word[i] >> 16, dtype);
    }
}

GALAPAGOS_HOST_DEVICE inline void store_vectors(const float (&values)[pack_elements],
                                                std::byte* address, DType dtype) {
    Vector low, high;
    if (dtype == DType::f32) {
        for (int i = 0; i < 4; ++i) {
            low.word[i] = bits_of(values[i]);
            high.word[i] = bits_of(values[i + 4]);
        }
        store_vector(address + vector_bytes, high);
    } else {
        for (int i = 0; i < 4; ++i)
            low.word[i] = encode(values[2 * i], dtype) | encode(values[2 * i + 1], dtype) << 16;
    }
    store_vector(address, low);
}

/// Eight floats; those beyond the pack's count are zero.
GALAPAGOS_HOST_DEVICE inline void load_pack(const DeviceJob& job, const DeviceTensor& tensor,
                                            const Pack& pack, float (&values)[pack_elements]) {
    const std::int64_t bytes = bytes_of(tensor.dtype);
    if (job.side_by_side && pack.count == pack_elements)
        return load_vectors(tensor.data + job.runs.local(pack.first) * bytes, tensor.dtype, values);
    for (int i = 0; i < pack_elements; ++i) {
        std::uint32_t bits = 0;
        if (i < pack.count)
            bits = load_bits(tensor.data + job.runs.local(pack.first + i) * bytes, tensor.dtype);
        values[i] = decode(bits, tensor.dtype);
    }
}

GALAPAGOS_HOST_DEVICE inline void store_pack(const DeviceJob& job, const Pack& pack,
                                             const float (&values)[pack_elements]) {
    const std::int64_t bytes = bytes_of(job.out_dtype);
    if (job.side_by_side && pack.count == pack_elements)
        return store_vectors(values, job.out + job.runs.local(pack.first) * bytes, job.out_dtype);
    for (int i = 0; i < pack_elements; ++i)
        if (i < pack.count)
            store_bits(encode(values[i], job.out_dtype),
                       job.out + job.runs.local(pack.first + i) * bytes, job.out_dtype);
}

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

/// values = the input's task vector against the base, zero where it is dropped.
template <typename Words>
GALAPAGOS_HOST_DEVICE inline void load_delta(const DeviceJob& job, const DeviceInput& input,
                                             const Pack& pack, const float (&base)[pack_elements],
                                             Words&& make_words, float (&values)[pack_elements]) {
    load_pack(job, input.tensor, pack, values);
    for (int i = 0; i < pack_elements; ++i) values[i] = values[i] - base[i];
    if (input.sparsity == Sparsity::magnitude) {
        const std::int64_t first = job.runs.global(pack.first);
        for (int i = 0; i < pack_elements; ++i)
            values[i] = keep_by_magnitude(
                values[i], input, job.side_by_side ? first + i : job.runs.global(pack.first + i));
    } else if (input.sparsity == Sparsity::random) {
        RandomWord words[pack_elements] = {};
        make_words(job, mask_key(job.seed, job.name_hash, input.position), pack, words);
        for (int i = 0; i < pack_elements; ++i)
            values[i] = words[i] < input.keep_below ? values[i] : 0.0f;
    }
}

/// Merges a pack of an entry of this arithmetic.
template <Arithmetic arithmetic, typename Words>
GALAPAGOS_HOST_DEVICE inline void merge_pack(const DeviceJob& job, const Pack& pack,
                                             Words&& make_words) {
    float base[pack_elements], value[pack_elements], sum[pack_elements] = {};
    Totals totals[pack_elements];
    if (arithmetic != Arithmetic::weighted_sum) load_pack(job, job.base, pack, base);
    for (int k = 0; k < job.input_count; ++k) {
        const DeviceInput& input = job.inputs[k];
        if (arithmetic == Arithmetic::weighted_sum)
            load_pack(job, input.tensor, pack, value);
        else
            load_delta(job, input, pack, base, make_words, value);
        for (int i = 0; i < pack_elements; ++i) {
            if (arithmetic == Arithmetic::sign_election) {
                tally(totals[i], value[i], input.gain, input.vote, k == 0);
            } else {
                const float product = input.gain * value[i];
                sum[i] = k == 0 ? product : sum[i] + product;
            }
        }
    }
    if (arithmetic != Arithmetic::weighted_sum) {
        for (int i = 0; i < pack_elements; ++i) {
            if (job.input_count == 0)
                sum[i] = base[i];
            else if (arithmetic == Arithmetic::sign_election)
                sum[i] = elect(totals[i], base[i], job.normalize, job.factor);
            else
                sum[i] = base[i] + job.factor * sum[i];
        }
    }
    store_pack(job, pack, sum);
}

}  // namespace galapagos::cuda
