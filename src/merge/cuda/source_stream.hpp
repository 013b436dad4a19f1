// Sources that stay in their mapped files: every merge brings a rank's parts of them to the device,
// batch by batch, through a window in its memory.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "comm/host_pieces.hpp"
#include "merge/candidate_jobs.hpp"
#include "merge/cuda/resident_sources.hpp"

namespace galapagos::cuda {

/// The least that a window must hold: the parts of all sources of one tensor of these plans. `own`
/// as in resident_bytes.
std::size_t least_window(std::span<const MergePlan> forms,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const OwnTensors& own, const Sharding& sharding);

/// First plans which parts lie in the window together, a batch, then copies one batch after the
/// other. What is queued between two copies finds the first one's parts.
class SourceStream {
  public:
    /// The window begins at a multiple of memory_alignment.
    SourceStream(const std::vector<std::shared_ptr<const Source>>& sources, std::byte* window,
                 std::size_t bytes, StreamIn stream_in);

    /// Forgets all batches and begins with the first one.
    void start();
    /// Gives the parts of the job's tensors places in the batch; false if it has no room for them.
    /// Throws Error if the whole window has none.
    bool add(const TensorJob& job, const CandidateJobs::Target& target);
    /// Where the part of a source's tensor, named by its address in the mapped file, will lie in
    /// the batch that it was added to last.
    const std::byte* find(const std::byte* mapped) const;
    void next_batch();

    /// Queues the copies of a batch, numbered from 0.
    void copy(std::size_t batch) const;

  private:
    struct Part {
        TensorView whole;
        TensorSlice slice;
        std::size_t offset = 0, bytes = 0;

        void copy_range(std::size_t begin, std::size_t end, std::byte* to) const;
    };
    using Batch = std::vector<Part>;  ///< by offset

    const std::byte* stored(const std::byte* mapped) const;
    bool holds(const std::byte* data, const TensorSlice& slice) const;
    static void fill(const Batch& batch, std::size_t begin, std::size_t end, std::byte* to);

    std::byte* window_;
    std::size_t bytes_;
    StreamIn stream_in_;
    /// Of tensors that several sources read from one folder, each of which maps it: the first.
    std::map<const std::byte*, const std::byte*> first_;
    std::vector<Batch> batches_;
    std::size_t end_ = 0;                             ///< of the last batch
    std::map<const std::byte*, std::size_t> places_;  ///< numbers of the last batch's parts
};

}  // namespace galapagos::cuda
