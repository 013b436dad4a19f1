#include <algorithm>

#include "comm/cuda/errors.hpp"
#include "merge/cuda/merge_kernel.hpp"
#include "merge/cuda/merge_pack.hpp"

namespace galapagos::cuda {
namespace {

// Sixteen threads take a tile of 128 elements, eight elements each.
constexpr int threads = 256;
constexpr int teams = threads / mask_lanes;

/// Copies an entry to shared memory, all threads of the block together.
__device__ void copy_job(const DeviceJob& from, DeviceJob& to) {
    static_assert(sizeof(DeviceJob) % sizeof(std::uint32_t) == 0);
    const auto* source = reinterpret_cast<const std::uint32_t*>(&from);
    auto* target = reinterpret_cast<std::uint32_t*>(&to);
    for (std::size_t i = threadIdx.x; i < sizeof(DeviceJob) / sizeof(std::uint32_t); i += threads)
        target[i] = source[i];
}

/// The random words of a pack, made by the team that shares its tile.
struct TeamWords {
    MaskTile& tile;
    int lane;
    unsigned team_of_warp;  ///< the team's threads in their warp

    __device__ void operator()(const DeviceJob& job, const MaskKey& key, const Pack& pack,
                               RandomWord (&words)[pack_elements]) const {
        if (!job.whole_tiles) return words_one_by_one(job, key, pack, words);
        __syncwarp(team_of_warp);  // the tile before has been read
        fill_lane(tile, key, job.runs.global(pack.first / mask_tile * mask_tile), lane);
        __syncwarp(team_of_warp);
        words_from_tile(tile, pack, words);
    }
};

template <Arithmetic arithmetic>
__global__ void __launch_bounds__(threads, 2)
    merge_chunks(const DeviceJob* jobs, int job_count, std::int64_t chunks) {
    __shared__ DeviceJob job;
    __shared__ MaskTile tiles[teams];
    const int lane = static_cast<int>(threadIdx.x) % mask_lanes;
    const int team = static_cast<int>(threadIdx.x) / mask_lanes;
    const TeamWords words{tiles[team], lane, 0xFFFFu << (team % 2 * mask_lanes)};
    for (std::int64_t number = blockIdx.x; number < chunks; number += gridDim.x) {
        __syncthreads();  // all threads are done with the entry before
        copy_job(jobs[entry_of(jobs, job_count, number)], job);
        __syncthreads();
        const TensorChunk chunk = chunk_of(job, number);
        for (std::int64_t tile = chunk.begin + team * mask_tile; tile < chunk.end;
             tile += teams * mask_tile)
            merge_pack<arithmetic>(job, pack_of(chunk, tile, lane), words);
    }
}

// Beside other work, one of so many multiprocessors gets a block. On large GPUs these have 64 KB of
// each source under way, about what hides the time that a bus takes to answer.
constexpr int processors_a_block = 8;

/// As many blocks as the device runs at once, or fewer where there is less to do. Blocks stay until
/// all chunks are done, whatever the priorities: beside other work there must be few.
template <typename Kernel>
int blocks_for(Kernel kernel, const MergeLaunch& launch) {
    int device = 0, processors = 0, blocks = 0;
    check(cudaGetDevice(&device), "can't tell the current GPU");
    check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
          "can't tell the size of the GPU");
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, 0),
          "the merge kernel doesn't fit this GPU");
    const int most =
        launch.beside_work ? std::max(1, processors / processors_a_block) : processors * blocks;
    return static_cast<int>(std::min<std::int64_t>(launch.chunks, most));
}

template <Arithmetic arithmetic>
void launch_as(const MergeLaunch& launch, const Stream& stream) {
    const int blocks = blocks_for(merge_chunks<arithmetic>, launch);
    merge_chunks<arithmetic>
        <<<blocks, threads, 0, stream.handle()>>>(launch.jobs, launch.job_count, launch.chunks);
    check(cudaGetLastError(), "can't start the merge kernel");
}

}  // namespace

void launch_merge(const MergeLaunch& launch, const Stream& stream) {
    if (launch.chunks == 0) return;
    with_arithmetic(launch.arithmetic,
                    [&]<Arithmetic arithmetic>() { launch_as<arithmetic>(launch, stream); });
}

}  // namespace galapagos::cuda
