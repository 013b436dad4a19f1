// One tensor of one candidate as a GPU's kernel takes it: an entry of the table of a launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "merge/cuda/host_device.hpp"
#include "merge/job.hpp"
#include "weights/sharding.hpp"

namespace galapagos::cuda {

inline constexpr int most_inputs = 16;

/// Which of the methods' kernels: several methods share one.
enum class Arithmetic : std::uint8_t { weighted_sum, task_vectors, sign_election };

// Entries are copied to shared memory as they are, so their members have no initial values.

/// This rank's part of a stored tensor.
struct DeviceTensor {
    const std::byte* data;
    DType dtype;
};

/// As JobInput.
struct DeviceInput {
    DeviceTensor tensor;
    float gain;
    float vote;
    Sparsity sparsity;  ///< dense, magnitude or random
    std::uint32_t threshold;
    std::uint32_t ceiling;
    RandomWord keep_below;
    std::uint32_t position;
    std::int64_t last_tie;
    std::int64_t last_dropped_tie;
};

/// Runs of equal length, evenly spaced both in the whole tensor and in this rank's part. Element i
/// of the entry is element `i mod length` of run `i div length`.
struct EvenRuns {
    std::int64_t length;
    std::int64_t global_begin, global_stride;
    std::int64_t local_begin, local_stride;

    // A single run, the common case, needs no division.
    GALAPAGOS_HOST_DEVICE std::int64_t global(std::int64_t i) const {
        if (i < length) return global_begin + i;
        return i / length * global_stride + global_begin + i % length;
    }
    GALAPAGOS_HOST_DEVICE std::int64_t local(std::int64_t i) const {
        if (i < length) return local_begin + i;
        return i / length * local_stride + local_begin + i % length;
    }
};

struct DeviceJob {
    Arithmetic arithmetic;
    bool normalize;
    /// Eight elements whose first number is a multiple of eight lie side by side, at addresses that
    /// allow loads of 16 bytes.
    bool side_by_side;
    /// 128 elements whose first number is a multiple of 128 are a tile of random words.
    bool whole_tiles;
    std::int32_t input_count;
    float factor;
    std::byte* out;
    DType out_dtype;
    DeviceTensor base;
    EvenRuns runs;
    std::int64_t count;        ///< elements of the entry
    std::int64_t first_chunk;  ///< of the launch, see assign_chunks
    std::uint64_t seed;
    std::uint64_t name_hash;
    DeviceInput inputs[most_inputs];
};

/// Where this rank's parts of a job's tensors lie, without gaps.
struct DeviceAddresses {
    const std::byte* base = nullptr;
    std::vector<const std::byte*> inputs;  ///< one for each of the job's
    std::byte* out = nullptr;
    DType out_dtype = DType::f32;
};

/// True if the GPU has a kernel for the job's method: for all but slerp, della, sce, ram,
/// ramplus_tl, arcee_fusion, nearswap, and factors by row or column.
bool runs_on_device(const TensorJob& job);

/// Appends the entries for a slice of a tensor of shape `shape`: one for each range of the slice.
/// The job's own addresses are not used. Throws Error unless `runs_on_device`.
void append_device_jobs(const TensorJob& job, const TensorSlice& slice, const Shape& shape,
                        const DeviceAddresses& where, std::vector<DeviceJob>& jobs);

/// Elements that a block of threads merges at a time. A chunk belongs to one entry.
inline constexpr std::int64_t chunk_elements = 64 * 128;

/// Numbers the chunks of a launch through its entries; returns how many there are.
std::int64_t assign_chunks(std::vector<DeviceJob>& jobs);

}  // namespace galapagos::cuda
