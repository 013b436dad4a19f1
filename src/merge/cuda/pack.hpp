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

GALAPAGOS_HOST_DEVICE inline std::uint32_t encode(float value, DType dtype) {
    if (dtype == DType::f32) return bits_of(value);
    return dtype == DType::bf16 ? to_bf16(value) : to_half(value);
}

GALAPAGOS_HOST_DEVICE inline void load_vectors(const std::byte* address, DType dtype,
                                               float (&values)[pack_elements]) {
    const PackedBytes low = load_vector(address);
    if (dtype == DType::f32) {
        const PackedBytes high = load_vector(address + vector_bytes);
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
    PackedBytes low, high;
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

/// One element, by its number in this rank's part.
GALAPAGOS_HOST_DEVICE inline float load_element(const DeviceJob& job, const DeviceTensor& tensor,
                                                std::int64_t element) {
    const std::byte* address = tensor.data + element * bytes_of(tensor.dtype);
    if (!job.side_by_side) return decode(load_bits(address, tensor.dtype), tensor.dtype);
    return decode(tensor.dtype == DType::f32 ? load_word(address) : load_half(address),
                  tensor.dtype);
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

/// Eight numbers of a table of 16-bit numbers that lies as the tensors do; those beyond the pack's
/// count are zero.
GALAPAGOS_HOST_DEVICE inline void load_halves(const DeviceJob& job, const std::uint16_t* table,
                                              const Pack& pack,
                                              std::uint32_t (&numbers)[pack_elements]) {
    if (job.side_by_side && pack.count == pack_elements) {
        const PackedBytes pairs =
            load_vector(reinterpret_cast<const std::byte*>(table + job.runs.local(pack.first)));
        for (int i = 0; i < pack_elements; ++i)
            numbers[i] = i % 2 == 0 ? pairs.word[i / 2] & 0xFFFFu : pairs.word[i / 2] >> 16;
        return;
    }
    for (int i = 0; i < pack_elements; ++i)
        numbers[i] = i < pack.count ? table[job.runs.local(pack.first + i)] : 0;
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

}  // namespace galapagos::cuda
