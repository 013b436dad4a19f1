#include "island/model_evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "base/activity.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "task/evaluate.hpp"

namespace galapagos {

namespace {

constexpr const char* running_tasks = "running the tasks of a candidate";

}  // namespace

PrepareOptions prepare_options(const Source& source) {
    PrepareOptions options;
    options.model_folder = source.folder().folder();
    options.end_ids = end_of_text_ids(source.folder());
    options.prefix_id = prefix_id(source.folder());
    if (const auto limit = source.config().value("max_position_embeddings", 0); limit > 0)
        options.max_tokens = limit;
    return options;
}

ModelEvaluator::ModelEvaluator(std::vector<std::shared_ptr<const Source>> sources,
                               std::shared_ptr<const SearchSpace> space,
                               std::vector<WeightedTask> tasks, const EvaluationSettings& settings,
                               const Communicator& group, std::uint64_t seed,
                               const CandidateFactory& make_candidate)
    : group_(group), space_(std::move(space)) {
    const Source& donor = *sources.front();
    const auto tokenizer = Tokenizer::load(donor.folder().folder());
    const auto options = prepare_options(donor);
    int longest = 1;
    for (const auto& [task, weight] : tasks) {
        weights_.push_back(weight);
        for (const Split split : all_splits) {
            auto& list = prepared_[static_cast<std::size_t>(split)];
            list.push_back(task.items(split).empty() ? nullptr
                                                     : prepare(task, split, tokenizer, options));
            if (list.back()) longest = std::max(longest, list.back()->longest_row());
        }
    }
    DecoderOptions decoder;
    decoder.dtype = settings.dtype;
    decoder.max_batch = settings.max_batch;
    decoder.max_tokens = longest;
    decoder.batch_tokens = std::max(settings.batch_tokens, longest);
    decoder.reductions = settings.reductions;
    auto network = network_of(*space_, sources);
    decoder.max_hops = network.max_hops;
    model_ = make_candidate(sources, donor, network.architecture, network.route, group, seed,
                            decoder, network.merge_forms());
    if (network.slots) model_->merge(network.forms.front());
    slots_ = std::move(network.slots);
}

std::vector<std::string> ModelEvaluator::remarks() const {
    std::vector<std::string> lines;
    for (const auto& tasks : prepared_)
        for (const auto& task : tasks)
            if (auto line = task ? remark_on_cuts(*task) : std::string(); !line.empty())
                lines.push_back(std::move(line));
    return lines;
}

bool ModelEvaluator::has_stage(Stage stage) const {
    const auto& list = prepared_[static_cast<std::size_t>(stage)];
    return std::any_of(list.begin(), list.end(), [](const auto& task) { return task != nullptr; });
}

std::optional<CandidateResult> ModelEvaluator::evaluate(const Candidate& candidate,
                                                        const EvaluationHooks& hooks) {
    CandidateResult result;
    result.id = candidate.id;
    result.stage = candidate.stage;
    Stopwatch watch;
    try {
        set_activity("merging a candidate");
        make_model(space_->recipe(candidate.genome));
        result.merge_seconds = watch.seconds();
        watch.restart();
        set_activity(running_tasks);
        if (!run_tasks(candidate.stage, result, between_batches(hooks))) return std::nullopt;
        result.evaluation_seconds = watch.seconds();
    } catch (const MachineError&) {
        throw;  // every further candidate would fail too
    } catch (const Error& error) {
        // Merges and forward passes fail on all ranks of the group alike: non-finite weights, an
        // impossible recipe.
        return failed_result(candidate, error.what(), weights_.size());
    } catch (const std::bad_alloc&) {
        return failed_result(candidate, "out of memory", weights_.size());
    }
    return result;
}

void ModelEvaluator::make_model(const Recipe& recipe) {
    if (slots_) {
        model_->decoder().set_route(slots_->route(*recipe.layer_path));
    } else {
        const MergePlan plan = plan_of(recipe);
        agree(group_, [&] { model_->merge(plan); });
    }
}

/// Collective.
MergePlan ModelEvaluator::plan_of(const Recipe& recipe) const {
    MergePlan plan;
    agree(group_, [&] { plan = make_plan(recipe, model_->sources(), model_->index()); });
    return plan;
}

/// Asks the hooks; on every rank, where a model can be prepared for the next candidate. Layer paths
/// merge nothing.
std::function<bool()> ModelEvaluator::between_batches(const EvaluationHooks& hooks) {
    if (!model_->prepares() || slots_) return hooks.keep_going;
    next_known_ = false;
    return [this, &hooks] {
        if (!next_known_) next_known_ = prepare_next(hooks);
        return !hooks.keep_going || hooks.keep_going();
    };
}

/// Collective. False while the next candidate is not known.
bool ModelEvaluator::prepare_next(const EvaluationHooks& hooks) {
    const auto next = hooks.next ? hooks.next() : std::nullopt;
    const std::string order = group_.broadcast(next ? pack(*next) : std::string());
    if (order.empty()) return false;
    set_activity("merging the next candidate");
    try {
        model_->prepare(plan_of(space_->recipe(unpack_candidate(order).genome)));
    } catch (const MachineError&) {
        throw;
    } catch (const Error&) {
        // Its own evaluation will say so.
    } catch (const std::bad_alloc&) {
    }
    set_activity(running_tasks);
    return true;
}

bool ModelEvaluator::run_tasks(Stage stage, CandidateResult& result,
                               const std::function<bool()>& keep_going) {
    double sum = 0, weight_sum = 0;
    const auto& tasks = prepared_[static_cast<std::size_t>(stage)];
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        result.answers.emplace_back();
        result.scores.push_back(std::numeric_limits<double>::quiet_NaN());
        if (!tasks[i]) continue;
        auto task_result =
            galapagos::evaluate(*tasks[i], model_->decoder(), {.keep_going = keep_going});
        if (!task_result.complete) return false;
        result.scores.back() = task_result.score;
        result.answers.back() = std::move(task_result.item_scores);
        result.tokens += task_result.tokens;
        sum += weights_[i] * task_result.score;
        weight_sum += weights_[i];
    }
    result.fitness = weight_sum > 0 ? sum / weight_sum : -std::numeric_limits<double>::infinity();
    if (std::isnan(result.fitness))
        throw Error("the fitness is not a number", "a task gave no score");
    return true;
}

}  // namespace galapagos
