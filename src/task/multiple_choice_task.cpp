#include <algorithm>
#include <cmath>
#include <limits>

#include "task/continuation.hpp"
#include "task/kinds.hpp"
#include "task/score_rows.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr float not_reached = std::numeric_limits<float>::quiet_NaN();

// The first of the largest.
std::size_t best_of(const std::vector<double>& values) {
    return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) -
                                    values.begin());
}

class MultipleChoiceTask final : public PreparedTask {
  public:
    MultipleChoiceTask(const Task& task, Split split, const Tokenizer& tokenizer,
                       const PrepareOptions& options)
        : PreparedTask(task, split, options),
          settings_(std::get<MultipleChoiceSettings>(task.settings())) {
        const ContinuationOptions continuation{task.add_special_tokens(), options.prefix_id};
        for (std::size_t i = 0; i < items().size(); ++i) {
            const Item& item = items()[i];
            bool truncated = false;
            for (const std::string& choice : item.choices) {
                ScoreRequest request = split_continuation(item.prompt, settings_.delimiter + choice,
                                                          tokenizer, continuation, item.place);
                truncated |=
                    fit(request.context, request.continuation.size() - 1, options.max_tokens, item);
                rows_.add(std::move(request), i);
            }
            count_truncated(truncated);
        }
        rows_.sort();
    }

    TaskResult evaluate(LanguageModel& model, const EvaluateHooks& hooks) const override {
        const std::vector<Score> scores = rows_.run(model, hooks.keep_going);
        TaskResult result;
        result.tokens = rows_.tokens();
        std::vector<float> acc;
        std::vector<float> acc_norm;
        std::size_t row = 0;
        for (const Item& item : items()) {
            std::vector<double> sums;
            for (std::size_t i = 0; i < item.choices.size(); ++i) {
                sums.push_back(scores[row++].log_likelihood);
            }
            grade(item, sums, acc, acc_norm, result);
        }
        const bool normalised = settings_.metric == MultipleChoiceSettings::Metric::acc_norm;
        result.item_scores = normalised ? acc_norm : acc;
        result.score = mean_of(result.item_scores);
        result.metrics = {{"acc", mean_of(acc)}, {"acc_norm", mean_of(acc_norm)}};
        return result;
    }

  private:
    void grade(const Item& item, const std::vector<double>& sums, std::vector<float>& acc,
               std::vector<float>& acc_norm, TaskResult& result) const {
        const bool known =
            std::none_of(sums.begin(), sums.end(), [](double sum) { return std::isnan(sum); });
        if (!known) {
            result.complete = false;
            result.answers.emplace_back();
            acc.push_back(not_reached);
            acc_norm.push_back(not_reached);
            return;
        }
        std::vector<double> normalised;
        for (std::size_t i = 0; i < sums.size(); ++i) {
            normalised.push_back(sums[i] / static_cast<double>(count_code_points(item.choices[i])));
        }
        const auto score_of = [&item](std::size_t choice) {
            return std::count(item.gold.begin(), item.gold.end(), choice) > 0 ? 1.0F : 0.0F;
        };
        const std::size_t plain_choice = best_of(sums);
        const std::size_t normalised_choice = best_of(normalised);
        acc.push_back(score_of(plain_choice));
        acc_norm.push_back(score_of(normalised_choice));
        const bool by_norm = settings_.metric == MultipleChoiceSettings::Metric::acc_norm;
        result.answers.push_back(item.choices[by_norm ? normalised_choice : plain_choice]);
    }

    MultipleChoiceSettings settings_;
    ScoreRows rows_;  // one a choice, items in order
};

}  // namespace

std::unique_ptr<PreparedTask> prepare_multiple_choice(const Task& task, Split split,
                                                      const Tokenizer& tokenizer,
                                                      const PrepareOptions& options) {
    return std::make_unique<MultipleChoiceTask>(task, split, tokenizer, options);
}

}  // namespace galapagos
