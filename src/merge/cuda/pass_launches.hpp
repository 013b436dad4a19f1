// What passes of statistics have in common: the table of a launch and its results, in the memory
// that is set aside for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "merge/cuda/merge_memory.hpp"
#include "merge/cuda/statistic_device.hpp"
#include "merge/statistic_passes.hpp"

namespace galapagos::cuda {

/// Where fixed-point numbers aren't finite, all of them are 0.
inline float scale_of(const FixedPoint& fixed) { return fixed.finite ? fixed.scale : 0.0f; }

inline std::uint64_t* totals_at(std::byte* address) {
    return reinterpret_cast<std::uint64_t*>(address);
}

class PassLaunches {
  public:
    /// Device and memory must outlive it. Scratch is its own while it works.
    PassLaunches(StatisticDevice& device, MergeMemory& memory)
        : device_(&device), memory_(&memory) {}

    StatisticDevice& device() const { return *device_; }
    MergeMemory& memory() const { return *memory_; }

    /// Room for `entries` entries and `bytes` of results, these zero. What it held is lost.
    std::byte* start(std::size_t entries, std::size_t bytes);
    /// Queues a launch over entries whose results are in that memory.
    void launch(StatisticPass pass, std::vector<StatisticJob>& jobs, int most_blocks = 0);
    /// A launch over entries that fill the same results of a type; `set` is told where these go.
    template <typename Result, typename Set>
    std::vector<Result> results_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                   std::size_t count, const Set& set);

  private:
    StatisticDevice* device_;
    MergeMemory* memory_;
    std::byte* table_ = nullptr;  ///< where the entries of the launch go
};

template <typename Result, typename Set>
std::vector<Result> PassLaunches::results_of(StatisticPass pass, std::vector<StatisticJob> jobs,
                                             std::size_t count, const Set& set) {
    std::vector<Result> results(count);
    if (jobs.empty()) return results;
    std::byte* const at = start(jobs.size(), count * sizeof(Result));
    for (StatisticJob& job : jobs) set(job, at);
    launch(pass, jobs);
    device_->copy_out(at, count * sizeof(Result), results.data());
    return results;
}

/// Entries for statistics of a job's inputs, and of its base if `with_base`: chunk by chunk, one
/// for each of `parts`. Of its numbers they take those that statistics depend on.
std::vector<StatisticJob> statistic_jobs(const TensorJob& job, bool with_base,
                                         std::span<const PartRuns> parts,
                                         const StatisticDevice& device);

/// A task vector as a job, dense.
TensorJob as_job(const DeltaPair& pair);

/// The key at a place of the descending order, from 0; `place` becomes the place among those that
/// equal it. count(range) counts a range's keys in buckets.
std::uint32_t key_at_place(const std::function<std::vector<KeyBucket>(const KeyRange&)>& count,
                           std::int64_t& place);

/// Random words, and of thinning by rank the limits, of an entry's only input.
void set_stream(const MaskStream& stream, StatisticJob& entry);
void set_thinning(const JobInput& input, StatisticJob& entry);

}  // namespace galapagos::cuda
