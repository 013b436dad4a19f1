// Eight neighbouring elements, a GPU thread's share: where they lie, and how they come and go.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "merge/cuda/device_job.hpp"
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
struct TensorChunk {
    std::int64_t begin;
    std::int64_t end;
};
GALAPAGOS_HOST_DEVICE inline TensorChunk chunk_of(const DeviceJob& job, std::int64_t chunk) {
    const std::int64_t begin = (chunk - job.first_chunk) * merge_chunk;
    const std::int64_t end = begin + merge_chunk;
    return {begin, end < job.count ? end : job.count};
}

/// The pack of a lane in the tile at `tile`; empty where the chunk is at its end.
GALAPAGOS_HOST_DEVICE inline Pack pack_of(const TensorChunk& chunk, std::int64_t tile, int lane) {
    const std::int64_t first = tile + lane * pack_elements;
    const std::int64_t left = first < chunk.end ? chunk.end - first : 0;
    return {first, static_cast<int>(left < pack_elements ? left : pack_elements)};
}

/// 16 bytes at an address that is a multiple of 16.
struct alignas(vector_bytes) PackedBytes {
    std::uint32_t word[4];
};

/// Where the GPU would refuse an address, so does the host.
inline void check_alignment(const std::byte* address, std::size_t bytes) {
    if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) std::abort();
}

GALAPAGOS_HOST_DEVICE inline PackedBytes load_vector(const std::byte* address) {
#if defined(__CUDA_ARCH__)
    const uint4 loaded = __ldg(reinterpret_cast<const uint4*>(address));
    return {{loaded.x, loaded.y, loaded.z, loaded.w}};
#else
    check_alignment(address, vector_bytes);
    PackedBytes loaded;
    std::memcpy(&loaded, address, sizeof loaded);
    return loaded;
#endif
}

/// Four bytes at an address that is a multiple of four.
GALAPAGOS_HOST_DEVICE inline std::uint32_t load_word(const std::byte* address) {
#if defined(__CUDA_ARCH__)
    return __ldg(reinterpret_cast<const std::uint32_t*>(address));
#else
    std::uint32_t word;
    check_alignment(address, sizeof word);
    std::memcpy(&word, address, sizeof word);
    return word;
#endif
}

GALAPAGOS_HOST_DEVICE inline void store_vector(std::byte* address, const PackedBytes& value) {
#if defined(__CUDA_ARCH__)
    __builtin_assume(__isGlobal(address));
    *reinterpret_cast<uint4*>(address) =
        make_uint4(value.word[0], value.word[1], value.word[2], value.word[3]);
#else
    check_alignment(address, vector_bytes);
    std::memcpy(address, &value, sizeof value);
#endif
}

/// Two bytes at an address that is a multiple of two.
GALAPAGOS_HOST_DEVICE inline std::uint32_t load_half(const std::byte* address) {
#if defined(__CUDA_ARCH__)
    return __ldg(reinterpret_cast<const std::uint16_t*>(address));
#else
    std::uint16_t half;
    check_alignment(address, sizeof half);
    std::memcpy(&half, address, sizeof half);
    return half;
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

GALAPAGOS_HOST_DEVICE inline std::uint32_t half_of(const PackedBytes& halves, int i) {
    return i % 2 == 0 ? halves.word[i / 2] & 0xFFFFu : halves.word[i / 2] >> 16;
}

/// A pack as it lies in memory. Of types of two bytes only the lower half is used.
struct RawPack {
    PackedBytes low, high;
};

/// Where element i's bits are in a raw pack.
struct RawPlace {
    int word, shift;

    GALAPAGOS_HOST_DEVICE RawPlace(int i, DType dtype)
        : word(dtype == DType::f32 ? i : i / 2), shift(dtype == DType::f32 ? 0 : i % 2 * 16) {}
};

// Elements whose numbers are known only when the program runs: words are chosen, not indexed, since
// a GPU keeps what is indexed in memory.

GALAPAGOS_HOST_DEVICE inline void put_bits(RawPack& raw, const RawPlace& at, std::uint32_t bits) {
    GALAPAGOS_UNROLL
    for (int w = 0; w < 4; ++w) {
        raw.low.word[w] |= w == at.word ? bits << at.shift : 0;
        raw.high.word[w] |= w + 4 == at.word ? bits << at.shift : 0;
    }
}

GALAPAGOS_HOST_DEVICE inline std::uint32_t bits_at(const RawPack& raw, const RawPlace& at) {
    std::uint32_t bits = 0;
    GALAPAGOS_UNROLL
    for (int w = 0; w < 4; ++w) {
        bits = w == at.word ? raw.low.word[w] : bits;
        bits = w + 4 == at.word ? raw.high.word[w] : bits;
    }
    return bits >> at.shift;
}

// The type is asked for once a pack, not once an element: a GPU would branch each time.

GALAPAGOS_HOST_DEVICE inline void decode_pack(const RawPack& raw, DType dtype,
                                              float (&values)[pack_elements]) {
    if (dtype == DType::bf16) {
        for (int i = 0; i < pack_elements; ++i) values[i] = from_bf16(half_of(raw.low, i));
    } else if (dtype == DType::f32) {
        for (int i = 0; i < 4; ++i) {
            values[i] = float_of(raw.low.word[i]);
            values[i + 4] = float_of(raw.high.word[i]);
        }
    } else {
        for (int i = 0; i < pack_elements; ++i) values[i] = from_half(half_of(raw.low, i));
    }
}

GALAPAGOS_HOST_DEVICE inline RawPack encode_pack(const float (&values)[pack_elements],
                                                 DType dtype) {
    RawPack raw = {};
    std::uint32_t(&pairs)[4] = raw.low.word;
    if (dtype == DType::bf16) {
        for (int i = 0; i < 4; ++i) pairs[i] = to_bf16_pair(values[2 * i], values[2 * i + 1]);
    } else if (dtype == DType::f32) {
        for (int i = 0; i < 4; ++i) {
            raw.low.word[i] = bits_of(values[i]);
            raw.high.word[i] = bits_of(values[i + 4]);
        }
    } else {
        for (int i = 0; i < 4; ++i)
            pairs[i] = to_half(values[2 * i]) | to_half(values[2 * i + 1]) << 16;
    }
    return raw;
}

/// One element, by its number in this rank's part.
GALAPAGOS_HOST_DEVICE inline float load_element(const DeviceJob& job, const DeviceTensor& tensor,
                                                std::int64_t element) {
    const std::byte* address = tensor.data + element * bytes_of(tensor.dtype);
    if (!job.side_by_side) return decode(load_bits(address, tensor.dtype), tensor.dtype);
    return decode(tensor.dtype == DType::f32 ? load_word(address) : load_half(address),
                  tensor.dtype);
}

/// A pack with where it lies, worked out once for all tensors of a job.
struct PlacedPack : Pack {
    bool in_vectors;      ///< as loads of 16 bytes take it
    std::int64_t at;      ///< its first element in this rank's parts
    std::int64_t global;  ///< and in the whole tensors

    GALAPAGOS_HOST_DEVICE PlacedPack(const DeviceJob& job, const Pack& pack)
        : Pack(pack),
          in_vectors(job.side_by_side && count == pack_elements),
          at(job.runs.local(first)),
          global(job.runs.global(first)) {}
};

/// Element by element.
GALAPAGOS_HOST_DEVICE inline RawPack gather_pack(const DeviceJob& job, const std::byte* data,
                                                 DType dtype, const Pack& pack) {
    RawPack raw = {};
    GALAPAGOS_ROLLED
    for (int i = 0; i < pack.count; ++i)
        put_bits(raw, RawPlace(i, dtype),
                 load_bits(data + job.runs.local(pack.first + i) * bytes_of(dtype), dtype));
    return raw;
}

/// Begins to load a pack: its first 16 bytes, if it lies in vectors. Those of several tensors can
/// be under way before the first is needed, which is what keeps a GPU's memory busy.
GALAPAGOS_HOST_DEVICE inline PackedBytes begin_pack(const DeviceTensor& tensor,
                                                    const PlacedPack& pack) {
    if (!pack.in_vectors) return {};
    return load_vector(tensor.data + pack.at * bytes_of(tensor.dtype));
}

/// Eight floats of a pack that has begun; those beyond the pack's count are zero. The rest of fp32
/// lies beside what has come.
GALAPAGOS_HOST_DEVICE inline void end_pack(const DeviceJob& job, const DeviceTensor& tensor,
                                           const PlacedPack& pack, const PackedBytes& begun,
                                           float (&values)[pack_elements]) {
    RawPack raw = {begun, {}};
    if (!pack.in_vectors)
        raw = gather_pack(job, tensor.data, tensor.dtype, pack);
    else if (tensor.dtype == DType::f32)
        raw.high = load_vector(tensor.data + pack.at * bytes_of(DType::f32) + vector_bytes);
    decode_pack(raw, tensor.dtype, values);
}

GALAPAGOS_HOST_DEVICE inline void load_pack(const DeviceJob& job, const DeviceTensor& tensor,
                                            const Pack& pack, float (&values)[pack_elements]) {
    const PlacedPack placed(job, pack);
    end_pack(job, tensor, placed, begin_pack(tensor, placed), values);
}

/// Eight numbers of a table of 16-bit numbers that lies as the tensors do; those beyond the pack's
/// count are zero.
GALAPAGOS_HOST_DEVICE inline PackedBytes load_halves(const DeviceJob& job,
                                                     const std::uint16_t* table,
                                                     const PlacedPack& pack) {
    const DeviceTensor halves{reinterpret_cast<const std::byte*>(table), DType::bf16};
    if (pack.in_vectors) return begin_pack(halves, pack);
    return gather_pack(job, halves.data, halves.dtype, pack).low;
}

GALAPAGOS_HOST_DEVICE inline void store_pack(const DeviceJob& job, const PlacedPack& pack,
                                             const float (&values)[pack_elements]) {
    const DType dtype = job.out_dtype;
    const RawPack raw = encode_pack(values, dtype);
    if (pack.in_vectors) {
        std::byte* const out = job.out + pack.at * bytes_of(dtype);
        store_vector(out, raw.low);
        if (dtype == DType::f32) store_vector(out + vector_bytes, raw.high);
        return;
    }
    GALAPAGOS_ROLLED
    for (int i = 0; i < pack.count; ++i)
        store_bits(bits_at(raw, RawPlace(i, dtype)),
                   job.out + job.runs.local(pack.first + i) * bytes_of(dtype), dtype);
}

}  // namespace galapagos::cuda
