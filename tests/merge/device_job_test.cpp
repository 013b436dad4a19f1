// What the GPU's merge kernels make of random jobs, by their host's twin, against the CPU's merger.
#include "merge/cuda/device_job.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/error.hpp"
#include "merge/device_job_cases.hpp"
#include "merge/device_twin.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::DeviceJobCase;

TEST(DeviceJob, TheKernelsCodeGivesTheBitsOfTheCpu) {
    int vectors = 0, tiles = 0, single = 0;
    std::map<std::pair<Method, Arithmetic>, int> kinds;
    for (std::uint64_t index = 0; index < 3000; ++index) {
        const DeviceJobCase drawn = test::drawn_case(index);
        const std::size_t shift = index % 3 == 0 ? 4 : 0;
        std::vector<DeviceJob> entries;
        ASSERT_EQ(test::merged_by_twin(drawn, shift, entries), drawn.expected())
            << "case " << index;
        for (const DeviceJob& entry : entries) {
            vectors += entry.side_by_side;
            tiles += entry.whole_tiles;
            single += !entry.side_by_side || !entry.whole_tiles;
            ++kinds[{drawn.job.method, entry.arithmetic}];
        }
    }
    // All ways through the code were taken. Model Stock and multi-SLERP have two kernels each,
    // NuSLERP three.
    EXPECT_EQ(kinds.size(), all_methods.size() + 4);
    for (const auto& [kind, entries] : kinds)
        EXPECT_GT(entries, 30) << name_of(kind.first) << " " << static_cast<int>(kind.second);
    EXPECT_GT(vectors, 300);
    EXPECT_GT(tiles, 300);
    EXPECT_GT(single, 300);
}

TEST(DeviceJob, EveryHalfAndBfloat16HasTheBitsOfTheCpu) {
    for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
        const auto stored = static_cast<std::uint16_t>(bits);
        for (const DType dtype : {DType::f16, DType::bf16}) {
            float expected = 0;
            to_float(&stored, dtype, &expected, 1);
            ASSERT_EQ(bits_of(decode(bits, dtype)), bits_of(expected)) << bits;
            float values[pack_elements];
            decode_pack({{{bits, bits << 16, 0, 0}}, {}}, dtype, values);
            ASSERT_EQ(bits_of(values[0]), bits_of(expected)) << bits;
            ASSERT_EQ(bits_of(values[3]), bits_of(expected)) << bits;
            std::uint16_t back = 0;
            // And what lies around it, to see the rounding.
            for (const std::uint32_t step : {0u, 1u, 0x7FFFu, 0x8000u, 0xFFFu, 0x1000u, 0x1001u}) {
                const float value = float_of(bits_of(expected) + step);
                from_float(&value, 1, &back, dtype);
                values[0] = values[3] = value;
                const PackedBytes stored_again = encode_pack(values, dtype).low;
                ASSERT_EQ(half_of(stored_again, 0), back) << bits << " + " << step;
                ASSERT_EQ(half_of(stored_again, 3), back) << bits << " + " << step;
            }
        }
    }
}

TEST(DeviceJob, WordsAreTheSameFromTilesAndOneByOne) {
    const MaskStream stream{0x123456789ABCDEFull, 0xFEDCBA987654321ull, 5};
    const MaskKey key = mask_key(stream.seed, stream.name_hash, stream.position);
    std::vector<RandomWord> words(4 * mask_tile);
    const std::int64_t first = (std::int64_t{1} << 33) + 8 * mask_tile;
    mask_words(stream, first, 4 * mask_tile, words.data());
    for (std::int64_t i = 0; i < 4 * mask_tile; ++i)
        ASSERT_EQ(word_of_element(key, first + i), words[static_cast<std::size_t>(i)]);
}

TEST(DeviceJob, ChunksAreNumberedThroughTheEntries) {
    std::vector<DeviceJob> jobs(3);
    jobs[0].count = merge_chunk;
    jobs[1].count = 1;
    jobs[2].count = 2 * merge_chunk + 1;
    EXPECT_EQ(assign_chunks(jobs), 5);
    EXPECT_EQ(jobs[1].first_chunk, 1);
    EXPECT_EQ(jobs[2].first_chunk, 2);
}

TEST(DeviceJob, VectorsAreLoadedOnlyWhereAllTensorsAndRanksAreAligned) {
    alignas(vector_bytes) std::byte memory[2 * vector_bytes] = {};
    TensorJob job;
    job.method = Method::della;
    job.count = pack_elements;
    job.inputs.resize(1);
    job.inputs[0].sparsity = Sparsity::by_rank;
    for (const std::size_t shift : {0, 8}) {
        for (const bool of_ranks : {false, true}) {
            DeviceAddresses where;
            where.base = where.out = memory;
            where.inputs = {memory + (of_ranks ? 0 : shift)};
            where.ranks = {reinterpret_cast<const std::uint16_t*>(memory + (of_ranks ? shift : 0))};
            std::vector<DeviceJob> jobs;
            append_device_jobs(job, {}, {pack_elements}, where, jobs);
            EXPECT_EQ(jobs.at(0).side_by_side, shift == 0);
        }
    }
}

TEST(DeviceJob, TooManySourcesAreRefused) {
    TensorJob job;
    job.count = 1;
    job.inputs.resize(most_inputs);
    DeviceAddresses where;
    where.inputs.resize(most_inputs + 1);
    std::vector<DeviceJob> jobs;
    EXPECT_NO_THROW(append_device_jobs(job, {}, {1}, where, jobs));
    job.inputs.resize(most_inputs + 1);
    EXPECT_THROW(append_device_jobs(job, {}, {1}, where, jobs), Error);
}

}  // namespace
}  // namespace galapagos
