// The GPU's merge kernels without a GPU: the code that their threads run (merge_pack.hpp), run by a
// loop in place of the threads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "merge/cuda/merge_launch.hpp"
#include "merge/cuda/merge_pack.hpp"
#include "merge/device_job_draws.hpp"

namespace galapagos::test {

using namespace cuda;

/// What the sixteen threads of a tile do together, done by one.
inline PackedBytes words_of_host(const DeviceJob& job, const MaskKey& key, const Pack& pack) {
    if (!job.whole_tiles) return words_one_by_one(job, key, pack);
    MaskTile tile;
    for (int lane = 0; lane < mask_lanes; ++lane)
        fill_lane(tile, key, job.runs.global(pack.first / mask_tile * mask_tile), lane);
    return words_from_tile(tile, pack);
}

inline void run_pack(const DeviceJob& job, const Pack& pack) {
    with_arithmetic(job.arithmetic, [&]<Arithmetic arithmetic>() {
        merge_pack<arithmetic>(job, pack, words_of_host);
    });
}

/// A launch, chunk by chunk.
inline void run_on_host(const MergeLaunch& launch) {
    for (std::int64_t number = 0; number < launch.chunks; ++number) {
        const DeviceJob& job = launch.jobs[entry_of(launch.jobs, launch.job_count, number)];
        EXPECT_EQ(job.arithmetic, launch.arithmetic);
        const TensorChunk chunk = chunk_of(job, number);
        for (std::int64_t tile = chunk.begin; tile < chunk.end; tile += mask_tile)
            for (int lane = 0; lane < mask_lanes; ++lane) run_pack(job, pack_of(chunk, tile, lane));
    }
}

/// Bytes at an address `shift` beyond a multiple of 64.
class PlacedBytes {
  public:
    PlacedBytes(const std::vector<std::byte>& bytes, std::size_t shift)
        : memory_(bytes.size() + 64 + shift) {
        const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
        place_ = memory_.data() + (64 - address % 64) % 64 + shift;
        std::copy(bytes.begin(), bytes.end(), place_);
    }
    std::byte* data() { return place_; }

  private:
    std::vector<std::byte> memory_;
    std::byte* place_ = nullptr;
};

/// The case's part as the kernel's code merges it, with the rank's memory `shift` bytes off.
inline std::vector<std::byte> merged_by_twin(const DeviceJobCase& drawn, std::size_t shift,
                                             std::vector<DeviceJob>& entries) {
    PlacedBytes base(drawn.part_of(drawn.job.base), shift);
    PlacedBytes lines(drawn.line_factors(), 0);
    std::vector<PlacedBytes> inputs, ranks;
    inputs.reserve(drawn.job.inputs.size());
    ranks.reserve(drawn.job.inputs.size());
    DeviceAddresses where;
    where.base = drawn.job.base.data == nullptr ? nullptr : base.data();
    where.line_factors = reinterpret_cast<const float*>(lines.data());
    for (const JobInput& input : drawn.job.inputs) {
        where.inputs.push_back(inputs.emplace_back(drawn.part_of(input.tensor), shift).data());
        const std::byte* own = ranks.emplace_back(drawn.ranks_part(input), shift).data();
        where.ranks.push_back(reinterpret_cast<const std::uint16_t*>(own));
    }
    // What lies on either side must stay as it is.
    constexpr std::size_t guard = 16;
    const std::size_t bytes =
        static_cast<std::size_t>(drawn.part_elements()) * size_of(drawn.out_dtype);
    PlacedBytes out(std::vector<std::byte>(bytes + 2 * guard, std::byte{0xA5}), shift);
    where.out = out.data() + guard;
    where.out_dtype = drawn.out_dtype;

    append_device_jobs(drawn.job, drawn.slice, drawn.shape, where, entries);
    const std::int64_t chunks = assign_chunks(entries);
    run_on_host(
        {arithmetic_of(drawn.job), entries.data(), static_cast<int>(entries.size()), chunks});
    for (std::size_t i = 0; i < guard; ++i) {
        EXPECT_EQ(out.data()[i], std::byte{0xA5});
        EXPECT_EQ(out.data()[guard + bytes + i], std::byte{0xA5});
    }
    return {where.out, where.out + bytes};
}

}  // namespace galapagos::test
