#include "model/generation.hpp"

#include <algorithm>
#include <exception>
#include <numeric>

#include "model/leader.hpp"

namespace galapagos {
namespace {

/// What rank 0 decides about a row after a new token.
enum Verdict : int32_t { goes_on, stopped, ended_by_hook, out_of_tokens, hook_failed };

}  // namespace

GreedyGeneration::GreedyGeneration(ForwardPass& forward, TensorGroup& group,
                                   const DecoderOptions& options,
                                   const std::vector<GenerationRequest>& requests,
                                   const GenerationHooks& hooks)
    : forward_(forward),
      group_(group),
      options_(options),
      requests_(requests),
      hooks_(hooks),
      results_(requests.size()),
      free_rows_(static_cast<size_t>(options.max_batch)) {
    for (size_t i = 0; i < requests.size(); ++i)
        if (requests[i].max_new_tokens > 0) waiting_.push_back(i);
    const auto length = [&](size_t i) { return requests[i].prompt.size(); };
    std::stable_sort(waiting_.begin(), waiting_.end(),
                     [&](size_t a, size_t b) { return length(a) > length(b); });
    std::reverse(waiting_.begin(), waiting_.end());
    std::iota(free_rows_.rbegin(), free_rows_.rend(), 0);
}

std::vector<Generation> GreedyGeneration::run() {
    while ((!waiting_.empty() || !rows_.empty()) && ask_leader(group_, hooks_.keep_going)) {
        if (should_admit())
            admit();
        else
            decode();
    }
    return std::move(results_);
}

/// Passes over prompts are worth it once a quarter of the rows is free, or as many as prompts wait.
/// Then they go on until no row is left: one pass may not hold the prompts of all.
bool GreedyGeneration::should_admit() {
    const auto quarter = static_cast<size_t>(std::max(1, options_.max_batch / 4));
    const size_t enough = admitting_ ? 1 : std::min(waiting_.size(), quarter);
    admitting_ = !waiting_.empty() && free_rows_.size() >= enough;
    return admitting_;
}

void GreedyGeneration::admit() {
    const size_t first = rows_.size();
    tokens_.clear();
    segments_.clear();
    wanted_.clear();
    while (!waiting_.empty() && !free_rows_.empty()) {
        const std::vector<int32_t>& prompt = requests_[waiting_.back()].prompt;
        if (!tokens_.empty() &&
            tokens_.size() + prompt.size() > static_cast<size_t>(options_.batch_tokens))
            break;
        const Row row{waiting_.back(), free_rows_.back(), static_cast<int64_t>(prompt.size()), 0};
        waiting_.pop_back();
        free_rows_.pop_back();
        int64_t fed = 0;
        feed_long_prompt(row, fed);
        tokens_.insert(tokens_.end(), prompt.begin() + fed, prompt.end());
        segments_.push_back({row.cache_row, fed, row.length - fed});
        wanted_.push_back(static_cast<int32_t>(tokens_.size()) - 1);
        rows_.push_back(row);
    }
    run_pass(first);
}

/// Runs all but the last part of a prompt that exceeds a pass.
void GreedyGeneration::feed_long_prompt(const Row& row, int64_t& fed) {
    const std::span<const int32_t> prompt = requests_[row.request].prompt;
    while (row.length - fed > options_.batch_tokens) {
        const Segment part{row.cache_row, fed, options_.batch_tokens};
        forward_.run(prompt.subspan(static_cast<size_t>(fed), static_cast<size_t>(part.count)),
                     {&part, 1}, {});
        fed += part.count;
    }
}

void GreedyGeneration::decode() {
    tokens_.clear();
    segments_.clear();
    wanted_.clear();
    for (Row& row : rows_) {
        wanted_.push_back(static_cast<int32_t>(tokens_.size()));
        tokens_.push_back(row.last);
        segments_.push_back({row.cache_row, row.length, 1});
        ++row.length;
    }
    run_pass(0);
}

/// Runs the prepared pass, whose wanted tokens belong to rows first_row and on.
void GreedyGeneration::run_pass(size_t first_row) {
    forward_.run(tokens_, segments_, wanted_);
    queries_.clear();
    for (size_t i = 0; i < wanted_.size(); ++i) queries_.push_back({static_cast<int64_t>(i), -1});
    answers_.resize(queries_.size());
    forward_.answer(queries_, answers_);
    judge(first_row);
}

/// Takes the new ids, and frees the rows that ended.
void GreedyGeneration::judge(size_t first_row) {
    // Each rank computed the same ids; rank 0's verdicts hold for all, so that a hook can't part
    // them.
    verdicts_.assign(answers_.size(), goes_on);
    std::exception_ptr failure;
    for (size_t i = 0; i < answers_.size(); ++i) {
        Row& row = rows_[first_row + i];
        row.last = answers_[i].argmax;
        try {
            verdicts_[i] = failure ? hook_failed : verdict(row, row.last);
        } catch (...) {
            failure = std::current_exception();
            verdicts_[i] = hook_failed;
        }
    }
    if (group_.size() > 1) group_.broadcast(std::as_writable_bytes(std::span(verdicts_)));
    if (failure) std::rethrow_exception(failure);

    size_t kept = first_row;
    for (size_t i = 0; i < answers_.size(); ++i) {
        const Row row = rows_[first_row + i];
        if (verdicts_[i] == hook_failed) throw_leader_failed();
        if (verdicts_[i] == goes_on) {
            rows_[kept++] = row;
            continue;
        }
        results_[row.request].finished = verdicts_[i] != out_of_tokens;
        free_rows_.push_back(row.cache_row);
    }
    rows_.resize(kept);
}

int32_t GreedyGeneration::verdict(const Row& row, int32_t id) {
    const GenerationRequest& request = requests_[row.request];
    std::vector<int32_t>& ids = results_[row.request].ids;
    if (std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end())
        return stopped;
    ids.push_back(id);
    if (group_.rank() == 0 && hooks_.finished && hooks_.finished(row.request, ids))
        return ended_by_hook;
    return ids.size() < static_cast<size_t>(request.max_new_tokens) ? goes_on : out_of_tokens;
}

}  // namespace galapagos
