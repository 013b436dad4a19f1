#include <algorithm>

#include "comm/cuda/errors.hpp"
#include "merge/cuda/merge_kernel.hpp"
#include "merge/cuda/merge_pack.hpp"

namespace galapagos::cuda {
namespace {

// Sixteen threads take a tile of 128 elements, eight elements each; a warp takes two tiles.
constexpr int threads = 256;
constexpr int teams = threads / mask_lanes;
constexpr int teams_of_warp = 2;

/// Copies an entry to shared memory, all threads of the block together.
__device__ void copy_job(const DeviceJob& from, DeviceJob& to) {
    static_assert(sizeof(DeviceJob) % sizeof(std::uint32_t) == 0);
    const auto* source = reinterpret_cast<const std::uint32_t*>(&from);
    auto* target = reinterpret_cast<std::uint32_t*>(&to);
    for (std::size_t i = threadIdx.x; i < sizeof(DeviceJob) / sizeof(std::uint32_t); i += threads)
        target[i] = source[i];
}

/// The random words of a pack, made by the team that shares its tile. All teams of a warp make
/// theirs together.
struct TeamWords {
    MaskTile& tile;
    int lane;

    __device__ PackedBytes operator()(const DeviceJob& job, const MaskKey& key,
                                      const Pack& pack) const {
        if (!job.whole_tiles) return words_one_by_one(job, key, pack);
        __syncwarp();  // the tile before has been read
        fill_lane(tile, key, job.runs.global(pack.first / mask_tile * mask_tile), lane);
        __syncwarp();
        return words_from_tile(tile, pack);
    }
};

template <Arithmetic arithmetic>
__global__ void __launch_bounds__(threads, 2)
    merge_chunks(const DeviceJob* jobs, int job_count, std::int64_t chunks) {
    __shared__ DeviceJob job;
    __shared__ MaskTile tiles[teams];
    const int lane = static_cast<int>(threadIdx.x) % mask_lanes;
    const int team = static_cast<int>(threadIdx.x) / mask_lanes;
    const TeamWords words{tiles[team], lane};
    // Where the chunk ends, a warp's second team may have nothing but empty packs.
    const std::int64_t first_tile = team / teams_of_warp * teams_of_warp * mask_tile;
    const std::int64_t of_team = team % teams_of_warp * mask_tile;
    std::int64_t beyond = 0;  // the first chunk of the entries after the one in shared memory
    for (std::int64_t number = blockIdx.x; number < chunks; number += gridDim.x) {
        if (number >= beyond) {
            __syncthreads();  // all threads are done with the entry before
            copy_job(jobs[entry_of(jobs, job_count, number)], job);
            __syncthreads();
            beyond = job.first_chunk + chunks_of(job);
        }
        const TensorChunk chunk = chunk_of(job, number);
        for (std::int64_t tile = chunk.begin + first_tile; tile < chunk.end;
             tile += teams * mask_tile)
            merge_pack<arithmetic>(job, pack_of(chunk, tile + of_team, lane), words);
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
