#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "task/kinds.hpp"
#include "task/stop_detector.hpp"

namespace galapagos {

namespace {

constexpr float not_reached = std::numeric_limits<float>::quiet_NaN();

struct Grade {
    bool answered = false;  // the pattern found something
    bool right = false;
    bool right_script = false;  // true without a rule
};

class GenerateTask final : public PreparedTask {
  public:
    GenerateTask(const Task& task, Split split, const Tokenizer& tokenizer,
                 const PrepareOptions& options)
        : PreparedTask(task, split, options),
          settings_(std::get<GenerateSettings>(task.settings())),
          tokenizer_(tokenizer) {
        std::vector<GenerationRequest> requests;
        for (const Item& item : items()) {
            requests.push_back(make_request(item, task.add_special_tokens(), options));
        }
        order_.resize(requests.size());
        std::iota(order_.begin(), order_.end(), std::size_t{0});
        std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
            return requests[a].prompt.size() < requests[b].prompt.size();
        });
        for (const std::size_t item : order_) {
            requests_.push_back(std::move(requests[item]));
        }
    }

    TaskResult evaluate(LanguageModel& model, const EvaluateHooks& hooks) const override {
        std::vector<StopDetector> detectors;
        detectors.reserve(requests_.size());
        for (std::size_t i = 0; i < requests_.size(); ++i) {
            detectors.emplace_back(tokenizer_, settings_.stop);
        }
        GenerationHooks generation_hooks;
        generation_hooks.keep_going = hooks.keep_going;
        if (!settings_.stop.empty()) {
            generation_hooks.finished = [&](std::size_t row, const std::vector<std::int32_t>& ids) {
                return detectors[row].advance(ids);
            };
        }
        return collect(model.generate(requests_, generation_hooks));
    }

  private:
    GenerationRequest make_request(const Item& item, bool add_special_tokens,
                                   const PrepareOptions& options) {
        GenerationRequest request;
        request.prompt = tokenizer_.encode(item.prompt, add_special_tokens);
        if (request.prompt.empty()) {
            throw UsageError(item.place + ": the prompt is empty");
        }
        request.max_new_tokens = settings_.max_new_tokens;
        request.stop_ids = options.end_ids;
        count_truncated(fit(request.prompt, static_cast<std::size_t>(settings_.max_new_tokens),
                            options.max_tokens, item));
        return request;
    }

    Grade grade(const std::string& text, const Item& item) const {
        Grade result;
        const std::optional<std::string> answer = find_answer(text, settings_.answer);
        result.answered = answer.has_value();
        const auto is_answer = [&](const std::string& target) {
            return is_right(*answer, target, settings_.answer);
        };
        result.right =
            answer && (is_answer(item.target) ||
                       std::any_of(item.more_targets.begin(), item.more_targets.end(), is_answer));
        result.right_script = !settings_.answer.script || settings_.answer.script->holds_for(text);
        return result;
    }

    TaskResult collect(const std::vector<Generation>& generations) const {
        TaskResult result;
        result.item_scores.assign(items().size(), not_reached);
        result.answers.resize(items().size());
        std::vector<Grade> grades;
        for (std::size_t row = 0; row < generations.size(); ++row) {
            const Generation& generation = generations[row];
            result.tokens += static_cast<std::int64_t>(requests_[row].prompt.size());
            result.generated_tokens += static_cast<std::int64_t>(generation.ids.size());
            const bool out_of_tokens =
                generation.ids.size() >= static_cast<std::size_t>(settings_.max_new_tokens);
            if (!generation.finished && !out_of_tokens) {
                result.complete = false;
                continue;
            }
            const std::size_t item = order_[row];
            const std::string text = tokenizer_.decode(generation.ids, true);
            result.answers[item] = cut_at_stop(text, settings_.stop);
            grades.push_back(grade(result.answers[item], items()[item]));
            result.item_scores[item] = grades.back().right && grades.back().right_script ? 1 : 0;
        }
        result.tokens += result.generated_tokens;
        result.score = mean_of(result.item_scores);
        add_metrics(grades, result);
        return result;
    }

    void add_metrics(const std::vector<Grade>& grades, TaskResult& result) const {
        const auto share = [&](bool Grade::*what) {
            const auto count = std::count_if(grades.begin(), grades.end(),
                                             [&](const Grade& grade) { return grade.*what; });
            return static_cast<double>(count) / static_cast<double>(items().size());
        };
        result.metrics.push_back({"accuracy", result.score});
        result.metrics.push_back({"answered", share(&Grade::answered)});
        if (settings_.answer.script) {
            result.metrics.push_back({"answer_only", share(&Grade::right)});
            result.metrics.push_back({"script_only", share(&Grade::right_script)});
        }
    }

    GenerateSettings settings_;
    Tokenizer tokenizer_;
    std::vector<GenerationRequest> requests_;  // by prompt length, ties by item
    std::vector<std::size_t> order_;           // item of each request
};

}  // namespace

std::unique_ptr<PreparedTask> prepare_generate(const Task& task, Split split,
                                               const Tokenizer& tokenizer,
                                               const PrepareOptions& options) {
    return std::make_unique<GenerateTask>(task, split, tokenizer, options);
}

}  // namespace galapagos
