#include "merge/key_scan.hpp"

#include "merge/element_vectors.hpp"
#include "merge/magnitude.hpp"
#include "merge/vector_clones.hpp"

namespace galapagos {

namespace {

template <DType dtype, int half>
GALAPAGOS_INLINE void count_at(const std::byte* base, const std::byte* source, std::int64_t at,
                               std::uint32_t low, std::uint32_t width, Vectors<wide>::Ints& total) {
    Vectors<wide>::Floats before, after;
    load<dtype, wide, half>(base, at, before);
    load<dtype, wide, half>(source, at, after);
    after -= before;
    const auto keys = reinterpret_cast<Vectors<wide>::Words>(after) & magnitude_bits;
    total -= keys - low <= width;
}

template <DType dtype>
GALAPAGOS_INLINE void count_loop(const std::byte* base, const std::byte* source, std::int64_t runs,
                                 std::uint32_t low, std::uint32_t width, std::uint8_t* counts) {
    for (std::int64_t run = 0; run < runs; ++run) {
        Vectors<wide>::Ints first{}, second{};
        for (std::int64_t i = 0; i < scan_run; i += 2 * wide) {
            count_at<dtype, 0>(base, source, run * scan_run + i, low, width, first);
            count_at<dtype, 1>(base, source, run * scan_run + i, low, width, second);
        }
        first += second;
        std::int32_t total = 0;
        for (int lane = 0; lane < wide; ++lane) total += first[lane];
        counts[run] = static_cast<std::uint8_t>(total);
    }
}

GALAPAGOS_VECTOR_CLONES
void count_bf16(const std::byte* base, const std::byte* source, std::int64_t runs,
                std::uint32_t low, std::uint32_t width, std::uint8_t* counts) {
    count_loop<DType::bf16>(base, source, runs, low, width, counts);
}

GALAPAGOS_VECTOR_CLONES
void count_f32(const std::byte* base, const std::byte* source, std::int64_t runs, std::uint32_t low,
               std::uint32_t width, std::uint8_t* counts) {
    count_loop<DType::f32>(base, source, runs, low, width, counts);
}

}  // namespace

void count_in_runs(const DeltaPair& pair, std::int64_t begin, std::int64_t runs, std::uint32_t low,
                   std::uint32_t high, std::uint8_t* counts) {
    const DType dtype = pair.base.dtype;
    if (pair.source.dtype == dtype && (dtype == DType::bf16 || dtype == DType::f32)) {
        const auto offset = static_cast<std::size_t>(begin) * size_of(dtype);
        const auto count = dtype == DType::bf16 ? count_bf16 : count_f32;
        return count(pair.base.data + offset, pair.source.data + offset, runs, low, high - low,
                     counts);
    }
    for_each_key_block(pair, begin, begin + runs * scan_run,
                       [&](const std::uint32_t* keys, std::int64_t, std::int64_t elements) {
                           for (std::int64_t i = 0; i < elements; i += scan_run)
                               *counts++ = static_cast<std::uint8_t>(
                                   loops::count_between(keys + i, low, high, scan_run));
                       });
}

}  // namespace galapagos
