// One tensor of one candidate as a GPU's kernel takes it: an entry of the table of a launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/host_device.hpp"
#include "merge/job.hpp"
#include "weights/sharding.hpp"

namespace galapagos::cuda {

inline constexpr int most_inputs = 16;

/// Which of the methods' kernels: several methods share one.
enum class Arithmetic : std::uint8_t {
    weighted_sum,
    task_vectors,
    sign_election,
    line_factors,  ///< sums of tensors or task vectors with a factor for each row or column
    sce,
    ram,
    arcee_fusion,
    nearswap,
};
inline constexpr std::size_t arithmetics = 8;

/// The kernel that gives what merge_block gives for the job.
Arithmetic arithmetic_of(const TensorJob& job);

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
    Sparsity sparsity;  ///< all but empty
    std::uint32_t threshold;
    std::uint32_t ceiling;
    RandomWord keep_below;
    std::uint32_t position;
    std::int64_t last_tie;
    std::int64_t last_dropped_tie;
    const std::uint16_t* ranks;  ///< of this rank's part
    float lowest;
    float slope;
    bool inverse_p;
};

/// As LineFactors; for arcee_fusion the divergence of each row.
struct DeviceLines {
    const float* factors;
    std::int64_t length;
    std::int64_t count;
    bool columns;
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

/// What an entry takes of this rank's part: one range of its slice.
struct PartRuns {
    EvenRuns runs;
    std::int64_t count;  ///< elements
    std::size_t range;   ///< which of the slice's; 0 of a whole tensor
};

/// A slice of a tensor of shape `shape`, range by range, without those that are empty.
std::vector<PartRuns> runs_of(const TensorSlice& slice, const Shape& shape);

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
    DeviceLines lines;
    float t;        ///< nearswap
    float epsilon;  ///< ram
    bool selects;   ///< sce: only the elements where the models differ most
    std::uint32_t threshold;
    std::int64_t last_tie;
    DeviceInput inputs[most_inputs];
};

/// Where this rank's parts of a job's tensors lie, without gaps, and the job's tables.
struct DeviceAddresses {
    const std::byte* base = nullptr;       ///< null where the job has none
    std::vector<const std::byte*> inputs;  ///< one for each of the job's
    /// For inputs thinned by rank, this rank's part of the ranks; may be left out if there is none.
    std::vector<const std::uint16_t*> ranks;
    const float* line_factors = nullptr;  ///< all of the job's, on every rank
    std::byte* out = nullptr;
    DType out_dtype = DType::f32;
};

/// Throws Error for a tensor of too many sources, its base aside.
void check_inputs(std::size_t inputs);

/// Appends the entries for a slice of a tensor of shape `shape`: one for each range of the slice.
/// The job's own addresses are not used. Throws Error if it has too many sources.
void append_device_jobs(const TensorJob& job, const TensorSlice& slice, const Shape& shape,
                        const DeviceAddresses& where, std::vector<DeviceJob>& jobs);

/// The same for some of the ranges.
void append_device_jobs(const TensorJob& job, std::span<const PartRuns> parts,
                        const DeviceAddresses& where, std::vector<DeviceJob>& jobs);

/// Elements that a block of threads merges at a time. A chunk belongs to one entry.
inline constexpr std::int64_t merge_chunk = 64 * 128;

GALAPAGOS_HOST_DEVICE inline std::int64_t chunks_of(const DeviceJob& job) {
    return (job.count + merge_chunk - 1) / merge_chunk;
}

/// Numbers the chunks of a launch through its entries; returns how many there are.
std::int64_t assign_chunks(std::vector<DeviceJob>& jobs);

}  // namespace galapagos::cuda
