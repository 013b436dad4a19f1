#include "merge/merger.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>

#include "base/error.hpp"
#include "base/parallel.hpp"
#include "comm/tensor_group.hpp"
#include "merge/job_builder.hpp"
#include "merge/slice_runs.hpp"

namespace galapagos {

namespace {

/// Local elements that one thread merges at a time.
constexpr std::int64_t item_elements = 32 * block_elements;

/// Where a job's result goes.
struct Target {
    MutableTensorView out;
    TensorSlice slice;
    Shape shape;  ///< of the whole tensor
    std::size_t first_item = 0;
};

void merge_range(const TensorJob& job, const Target& target, std::int64_t begin, std::int64_t end) {
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
    std::vector<std::shared_ptr<const Source>> sources;
    Sharding sharding;
    std::uint64_t seed = 0;
    TensorGroup* group = nullptr;
    SourceStatistics statistics;

    // Scratch, kept from candidate to candidate.
    std::vector<TensorJob> jobs;
    std::vector<Target> targets;
    std::vector<StatisticRequest> requests;
    std::vector<std::size_t> mine;
    std::vector<std::int64_t> loads;
    std::vector<Outcome> outcomes, gathered;
    std::vector<CutRequest> cuts;
    std::size_t used = 0;

    void start() {
        used = 0;
        requests.clear();
    }

    void add(const TensorMerge& tensor, std::uint64_t mask_seed, const MutableTensorView& out,
             TensorSlice slice) {
        if (jobs.size() == used) {
            jobs.emplace_back();
            targets.emplace_back();
        }
        build_job(tensor, sources, mask_seed, used, jobs[used], requests);
        targets[used] = {out, std::move(slice), tensor.shape, 0};
        ++used;
    }

    void copy(const TensorMerge& tensor, const MutableTensorView& out, const TensorSlice& slice) {
        const MergeInput& input = tensor.inputs.front();
        copy_slice(sources[static_cast<std::size_t>(input.source)]->tensor(input.tensor), slice,
                   out);
    }

    /// Deals the tensors' statistics out to the ranks, in plan order to the one with the least.
    void deal_requests(int ranks, int rank) {
        mine.clear();
        loads.assign(static_cast<std::size_t>(ranks), 0);
        std::size_t owner = 0;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            if (i == 0 || requests[i].job != requests[i - 1].job)
                owner = static_cast<std::size_t>(std::min_element(loads.begin(), loads.end()) -
                                                 loads.begin());
            loads[owner] += requests[i].count;
            if (owner == static_cast<std::size_t>(rank)) mine.push_back(i);
        }
    }

    void settle_statistics(TensorGroup* ranks) {
        for (std::size_t i = 0; i < used; ++i) add_tables(jobs[i], statistics);
        if (requests.empty()) return;
        const bool shared = ranks != nullptr && ranks->size() > 1;
        deal_requests(shared ? ranks->size() : 1, shared ? ranks->rank() : 0);
        outcomes.assign(requests.size(), Outcome{});
        compute_outcomes(jobs, requests, mine, statistics, cuts, outcomes);
        if (shared) {
            share_outcomes(*ranks);
        }
        for (std::size_t i = 0; i < requests.size(); ++i)
            apply_outcome(requests[i], outcomes[i], jobs[requests[i].job]);
    }

    void share_outcomes(TensorGroup& ranks) {
        const auto size = static_cast<std::size_t>(ranks.size());
        gathered.resize(outcomes.size() * size);
        ranks.all_gather(std::as_bytes(std::span(outcomes)),
                         std::as_writable_bytes(std::span(gathered)));
        for (std::size_t rank = 0; rank < size; ++rank) {
            deal_requests(ranks.size(), static_cast<int>(rank));
            for (const std::size_t i : mine) outcomes[i] = gathered[rank * outcomes.size() + i];
        }
    }

    void run() {
        std::size_t items = 0;
        for (std::size_t i = 0; i < used; ++i) {
            targets[i].first_item = items;
            items += static_cast<std::size_t>((targets[i].out.numel() + item_elements - 1) /
                                              item_elements);
        }
        const std::span<const Target> all(targets.data(), used);
        parallel_for(0, static_cast<std::int64_t>(items), 1,
                     [&](std::int64_t first, std::int64_t last) {
                         for (std::int64_t item = first; item < last; ++item)
                             run_item(all, static_cast<std::size_t>(item));
                     });
    }

    void run_item(std::span<const Target> all, std::size_t item) const {
        const auto after = std::partition_point(
            all.begin(), all.end(), [item](const Target& t) { return t.first_item <= item; });
        const Target& target = *(after - 1);
        const std::int64_t begin =
            static_cast<std::int64_t>(item - target.first_item) * item_elements;
        const std::int64_t end = std::min(target.out.numel(), begin + item_elements);
        merge_range(jobs[static_cast<std::size_t>(&target - all.data())], target, begin, end);
    }
};

Merger::Merger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
               std::uint64_t seed, TensorGroup* group)
    : state_(std::make_unique<State>()) {
    state_->sources = std::move(sources);
    state_->sharding = std::move(sharding);
    state_->seed = seed;
    state_->group = group;
}

Merger::~Merger() = default;
Merger::Merger(Merger&&) noexcept = default;
Merger& Merger::operator=(Merger&&) noexcept = default;

namespace {

[[noreturn]] void refuse_arena(const MergePlan& plan, const Arena& arena) {
    for (const TensorSpec& spec : arena.specs()) {
        const bool planned =
            std::any_of(plan.tensors.begin(), plan.tensors.end(),
                        [&](const TensorMerge& t) { return t.output_name == spec.name; });
        if (!planned)
            throw Error("merge can't fill the arena",
                        "the recipe gives no tensor '" + spec.name + "'",
                        "is the recipe for this architecture and number of layers?");
    }
    throw Error("merge can't fill the arena", "the plan names a tensor twice");
}

}  // namespace

void Merger::merge(const MergePlan& plan, Arena& out) {
    State& state = *state_;
    const std::uint64_t seed = plan.random_seed.value_or(state.seed);
    state.start();
    std::size_t filled = 0;
    for (const TensorMerge& tensor : plan.tensors) {
        if (!out.has(tensor.output_name)) continue;
        ++filled;
        const MutableTensorView view = out.tensor(tensor.output_name);
        TensorSlice slice = state.sharding.slice(tensor.output_name, tensor.shape);
        if (sliced_shape(slice, tensor.shape) != view.shape)
            throw Error("tensor '" + tensor.output_name + "' can't be merged",
                        "its place has the shape " + to_string(view.shape) + ", its part " +
                            to_string(sliced_shape(slice, tensor.shape)));
        if (tensor.copied)
            state.copy(tensor, view, slice);
        else
            state.add(tensor, seed, view, std::move(slice));
    }
    if (filled != out.specs().size()) refuse_arena(plan, out);
    state.settle_statistics(state.group);
    state.run();
}

void Merger::merge_tensor(const TensorMerge& tensor, std::optional<std::uint64_t> random_seed,
                          const MutableTensorView& out) {
    State& state = *state_;
    state.start();
    if (tensor.copied) {
        state.copy(tensor, out, TensorSlice{});
        return;
    }
    state.add(tensor, random_seed.value_or(state.seed), out, TensorSlice{});
    state.settle_statistics(nullptr);
    state.run();
    state.statistics.clear();
}

std::size_t Merger::statistics_bytes() const { return state_->statistics.bytes(); }

}  // namespace galapagos
