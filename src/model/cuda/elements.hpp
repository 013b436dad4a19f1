// Activations and weights as a GPU thread sees them: eight neighbouring elements at a time, widened
// to fp32, with the roundings of the CPU's row kernels.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/host_device.hpp"
#include "merge/cuda/number_formats.hpp"
#include "model/kernels/row_kernels.hpp"

namespace galapagos::cuda {

inline constexpr int chunk_elements = 8;

GALAPAGOS_HOST_DEVICE inline float widen(float value) { return value; }
GALAPAGOS_HOST_DEVICE inline float widen(Bf16 value) {
    return from_bf16(static_cast<std::uint32_t>(value));
}

template <typename T>
GALAPAGOS_HOST_DEVICE inline T narrow(float value);
template <>
GALAPAGOS_HOST_DEVICE inline float narrow<float>(float value) {
    return value;
}
template <>
GALAPAGOS_HOST_DEVICE inline Bf16 narrow<Bf16>(float value) {
    return static_cast<Bf16>(to_bf16(value));
}

/// The value of type T nearest to `value`, as float.
template <typename T>
GALAPAGOS_HOST_DEVICE inline float rounded(float value) {
    return widen(narrow<T>(value));
}

/// Part of a row: elements [first, first + count).
struct Chunk {
    std::int64_t first;
    int count;
};

/// The chunk with a number, of a row of `width`; empty beyond its end.
GALAPAGOS_HOST_DEVICE inline Chunk chunk_at(std::int64_t number, std::int64_t width) {
    const std::int64_t first = number * chunk_elements;
    const std::int64_t left = first < width ? width - first : 0;
    return {first, static_cast<int>(left < chunk_elements ? left : chunk_elements)};
}

GALAPAGOS_HOST_DEVICE inline std::int64_t chunks_of(std::int64_t width) {
    return (width + chunk_elements - 1) / chunk_elements;
}

/// What one load or store of a thread takes.
struct alignas(16) Vector {
    std::uint32_t word[4];
};

template <typename T>
GALAPAGOS_HOST_DEVICE inline bool whole_vectors(const T* address, int count) {
    return count == chunk_elements &&
           reinterpret_cast<std::uintptr_t>(address) % sizeof(Vector) == 0;
}

/// From global memory.
GALAPAGOS_HOST_DEVICE inline Vector load_vector(const void* address) {
#if defined(__CUDA_ARCH__)
    __builtin_assume(__isGlobal(address));
    const uint4 loaded = *static_cast<const uint4*>(address);
    return {{loaded.x, loaded.y, loaded.z, loaded.w}};
#else
    Vector loaded;
    std::memcpy(&loaded, address, sizeof loaded);
    return loaded;
#endif
}

GALAPAGOS_HOST_DEVICE inline void store_vector(void* address, const Vector& value) {
#if defined(__CUDA_ARCH__)
    __builtin_assume(__isGlobal(address));
    *static_cast<uint4*>(address) =
        make_uint4(value.word[0], value.word[1], value.word[2], value.word[3]);
#else
    std::memcpy(address, &value, sizeof value);
#endif
}

GALAPAGOS_HOST_DEVICE inline void narrow_vectors(const float (&values)[chunk_elements],
                                                 float* address) {
    Vector low, high;
    for (int i = 0; i < 4; ++i) {
        low.word[i] = bits_of(values[i]);
        high.word[i] = bits_of(values[i + 4]);
    }
    store_vector(address, low);
    store_vector(address + 4, high);
}
GALAPAGOS_HOST_DEVICE inline void narrow_vectors(const float (&values)[chunk_elements],
                                                 Bf16* address) {
    Vector pairs;
    for (int i = 0; i < 4; ++i) pairs.word[i] = to_bf16_pair(values[2 * i], values[2 * i + 1]);
    store_vector(address, pairs);
}

/// A chunk as it lies in memory: many can be under way before the first is widened.
template <typename T>
struct RawChunk {
    static constexpr int vectors = chunk_elements * sizeof(T) / sizeof(Vector);
    Vector part[vectors];
};

template <typename T>
GALAPAGOS_HOST_DEVICE inline RawChunk<T> load_raw(const T* address) {
    RawChunk<T> raw;
    for (int i = 0; i < RawChunk<T>::vectors; ++i)
        raw.part[i] = load_vector(address + i * (chunk_elements / RawChunk<T>::vectors));
    return raw;
}

GALAPAGOS_HOST_DEVICE inline void widen_raw(const RawChunk<float>& raw,
                                            float (&values)[chunk_elements]) {
    for (int i = 0; i < chunk_elements; ++i) values[i] = float_of(raw.part[i / 4].word[i % 4]);
}
GALAPAGOS_HOST_DEVICE inline void widen_raw(const RawChunk<Bf16>& raw,
                                            float (&values)[chunk_elements]) {
    for (int i = 0; i < chunk_elements / 2; ++i) {
        values[2 * i] = float_of(raw.part[0].word[i] << 16);
        values[2 * i + 1] = float_of(raw.part[0].word[i] & 0xFFFF0000u);
    }
}

/// `count` elements at an address; the other values are zero. Sixteen bytes at a time where eight
/// elements lie at a multiple of sixteen.
template <typename T>
GALAPAGOS_HOST_DEVICE inline void load_chunk(const T* address, int count,
                                             float (&values)[chunk_elements]) {
    if (whole_vectors(address, count)) return widen_raw(load_raw(address), values);
    for (int i = 0; i < chunk_elements; ++i) values[i] = i < count ? widen(address[i]) : 0.0f;
}

template <typename T>
GALAPAGOS_HOST_DEVICE inline void store_chunk(const float (&values)[chunk_elements], T* address,
                                              int count) {
    if (whole_vectors(address, count)) return narrow_vectors(values, address);
    for (int i = 0; i < chunk_elements; ++i)
        if (i < count) address[i] = narrow<T>(values[i]);
}

}  // namespace galapagos::cuda
