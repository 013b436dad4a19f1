#include "merge/candidate_jobs.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "comm/lockstep.hpp"
#include "comm/tensor_group.hpp"

namespace galapagos {

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

CandidateJobs::CandidateJobs(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
                             std::uint64_t seed, TensorGroup* group, StatisticPasses& passes)
    : sources_(std::move(sources)),
      sharding_(std::move(sharding)),
      seed_(seed),
      group_(group),
      statistics_(passes) {}

void CandidateJobs::build(const MergePlan& plan, Arena& out) {
    const Communicator ranks = group_ != nullptr ? group_->communicator() : Communicator();
    take_steps(ranks, [&] {
        add_all(plan, out);
        compute_statistics(ranks.size(), ranks.rank());
    });
    if (ranks.size() > 1 && !requests_.empty()) share_outcomes(*group_);
    apply_outcomes();
}

void CandidateJobs::build(const TensorMerge& tensor, std::optional<std::uint64_t> random_seed,
                          const MutableTensorView& out) {
    start();
    add(tensor, random_seed.value_or(seed_), out, TensorSlice{});
    compute_statistics(1, 0);
    apply_outcomes();
}

void CandidateJobs::add_all(const MergePlan& plan, Arena& out) {
    const std::uint64_t seed = plan.random_seed.value_or(seed_);
    start();
    std::size_t filled = 0;
    for (const TensorMerge& tensor : plan.tensors) {
        if (!out.has(tensor.output_name)) continue;
        ++filled;
        const MutableTensorView view = out.tensor(tensor.output_name);
        TensorSlice slice = sharding_.slice(tensor.output_name, tensor.shape);
        if (sliced_shape(slice, tensor.shape) != view.shape)
            throw Error("tensor '" + tensor.output_name + "' can't be merged",
                        "its place has the shape " + to_string(view.shape) + ", its part " +
                            to_string(sliced_shape(slice, tensor.shape)));
        add(tensor, seed, view, std::move(slice));
    }
    if (filled != out.specs().size()) refuse_arena(plan, out);
}

void CandidateJobs::start() {
    used_ = 0;
    requests_.clear();
    copies_.clear();
}

void CandidateJobs::add(const TensorMerge& tensor, std::uint64_t mask_seed,
                        const MutableTensorView& out, TensorSlice slice) {
    if (tensor.copied) {
        const MergeInput& input = tensor.inputs.front();
        copies_.push_back({sources_[static_cast<std::size_t>(input.source)]->tensor(input.tensor),
                           std::move(slice), out});
        return;
    }
    if (jobs_.size() == used_) {
        jobs_.emplace_back();
        targets_.emplace_back();
    }
    build_job(tensor, sources_, mask_seed, used_, jobs_[used_], requests_);
    targets_[used_] = {out, std::move(slice), tensor.shape};
    ++used_;
}

/// What fails on one rank fails on all.
void CandidateJobs::take_steps(const Communicator& ranks, const std::function<void()>& steps) {
    Lockstep* const lockstep = statistics_.passes().lockstep();
    if (lockstep == nullptr) return agree(ranks, steps);
    try {
        lockstep->run(steps);
    } catch (...) {
        // Ranks that know different things would count different things next time.
        statistics_.forget_counts();
        throw;
    }
}

/// Whether one rank works it out for all.
bool CandidateJobs::is_dealt(const StatisticRequest& request) const {
    return statistics_.passes().lockstep() == nullptr || !is_counted(request, jobs_[request.job]);
}

/// Deals the tensors' statistics out to the ranks, in plan order to the one with the least.
void CandidateJobs::deal_requests(int ranks, int rank) {
    mine_.clear();
    loads_.assign(static_cast<std::size_t>(ranks), 0);
    std::size_t owner = 0;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        if (i == 0 || requests_[i].job != requests_[i - 1].job)
            owner = static_cast<std::size_t>(std::min_element(loads_.begin(), loads_.end()) -
                                             loads_.begin());
        if (!is_dealt(requests_[i])) continue;
        loads_[owner] += requests_[i].count;
        if (owner == static_cast<std::size_t>(rank)) mine_.push_back(i);
    }
}

/// Those that all count together, and those that are this rank's share.
void CandidateJobs::compute_statistics(int ranks, int rank) {
    for (std::size_t i = 0; i < used_; ++i) add_tables(jobs_[i], statistics_);
    outcomes_.assign(requests_.size(), Outcome{});
    mine_.clear();
    for (std::size_t i = 0; i < requests_.size(); ++i)
        if (!is_dealt(requests_[i])) mine_.push_back(i);
    compute_outcomes(jobs_, requests_, mine_, statistics_, cuts_, outcomes_);
    deal_requests(ranks, rank);
    compute_outcomes(jobs_, requests_, mine_, statistics_, cuts_, outcomes_);
}

void CandidateJobs::share_outcomes(TensorGroup& ranks) {
    const auto size = static_cast<std::size_t>(ranks.size());
    gathered_.resize(outcomes_.size() * size);
    ranks.all_gather(std::as_bytes(std::span(outcomes_)),
                     std::as_writable_bytes(std::span(gathered_)));
    for (std::size_t rank = 0; rank < size; ++rank) {
        deal_requests(ranks.size(), static_cast<int>(rank));
        for (const std::size_t i : mine_) outcomes_[i] = gathered_[rank * outcomes_.size() + i];
    }
}

void CandidateJobs::apply_outcomes() {
    for (std::size_t i = 0; i < requests_.size(); ++i)
        apply_outcome(requests_[i], outcomes_[i], jobs_[requests_[i].job]);
}

}  // namespace galapagos
