#include "merge/merger.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/parallel.hpp"
#include "merge/candidate_jobs.hpp"
#include "merge/slice_runs.hpp"

namespace galapagos {

namespace {

/// Local elements that one thread merges at a time.
constexpr std::int64_t item_elements = 32 * block_elements;

void merge_range(const TensorJob& job, const CandidateJobs::Target& target, std::int64_t begin,
                 std::int64_t end) {
    thread_local BlockBuffers buffers;
    alignas(64) float merged[block_elements];
    const std::size_t element_bytes = size_of(target.out.dtype);
    for_each_run_between(target.slice, target.shape, begin, end, [&](const SliceRun& run) {
        for (std::int64_t at = 0; at < run.count; at += block_elements) {
            const std::int64_t count = std::min(block_elements, run.count - at);
            merge_block(job, run.global + at, count, buffers, merged);
            from_float(merged, static_cast<std::size_t>(count),
                       target.out.data + static_cast<std::size_t>(run.local + at) * element_bytes,
                       target.out.dtype);
        }
    });
}

}  // namespace

struct Merger::State {
    CandidateJobs candidate;
    std::vector<std::size_t> first_items;  ///< of each job

    void run() {
        for (const CandidateJobs::Copy& copy : candidate.copies())
            copy_slice(copy.whole, copy.slice, copy.out);
        std::size_t items = 0;
        first_items.clear();
        for (const CandidateJobs::Target& target : candidate.targets()) {
            first_items.push_back(items);
            items +=
                static_cast<std::size_t>((target.out.numel() + item_elements - 1) / item_elements);
        }
        parallel_for(0, static_cast<std::int64_t>(items), 1,
                     [&](std::int64_t first, std::int64_t last) {
                         for (std::int64_t item = first; item < last; ++item)
                             run_item(static_cast<std::size_t>(item));
                     });
    }

    void run_item(std::size_t item) const {
        const auto after = std::upper_bound(first_items.begin(), first_items.end(), item);
        const auto number = static_cast<std::size_t>(after - first_items.begin()) - 1;
        const CandidateJobs::Target& target = candidate.targets()[number];
        const std::int64_t begin =
            static_cast<std::int64_t>(item - first_items[number]) * item_elements;
        const std::int64_t end = std::min(target.out.numel(), begin + item_elements);
        merge_range(candidate.jobs()[number], target, begin, end);
    }
};

Merger::Merger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
               std::uint64_t seed, TensorGroup* group)
    : state_(new State{{std::move(sources), std::move(sharding), seed, group}, {}}) {}

Merger::~Merger() = default;
Merger::Merger(Merger&&) noexcept = default;
Merger& Merger::operator=(Merger&&) noexcept = default;

void Merger::merge(const MergePlan& plan, Arena& out) {
    state_->candidate.build(plan, out);
    state_->run();
}

void Merger::merge_tensor(const TensorMerge& tensor, std::optional<std::uint64_t> random_seed,
                          const MutableTensorView& out) {
    state_->candidate.build(tensor, random_seed, out);
    state_->run();
    state_->candidate.statistics().clear();
}

std::size_t Merger::statistics_bytes() const { return state_->candidate.statistics().bytes(); }

}  // namespace galapagos
