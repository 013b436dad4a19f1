#include <cmath>
#include <limits>

#include "task/continuation.hpp"
#include "task/kinds.hpp"
#include "task/score_rows.hpp"

namespace galapagos {

namespace {

constexpr float not_reached = std::numeric_limits<float>::quiet_NaN();

class LoglikelihoodTask final : public PreparedTask {
  public:
    LoglikelihoodTask(const Task& task, Split split, const Tokenizer& tokenizer,
                      const PrepareOptions& options)
        : PreparedTask(task, split, options),
          settings_(std::get<LoglikelihoodSettings>(task.settings())) {
        const ContinuationOptions continuation{task.add_special_tokens(), options.prefix_id};
        for (std::size_t i = 0; i < items().size(); ++i) {
            const Item& item = items()[i];
            ScoreRequest request =
                split_continuation(item.prompt, item.target, tokenizer, continuation, item.place);
            count_truncated(
                fit(request.context, request.continuation.size() - 1, options.max_tokens, item));
            lengths_.push_back(request.continuation.size());
            rows_.add(std::move(request), i);
        }
        rows_.sort();
    }

    TaskResult evaluate(LanguageModel& model, const EvaluateHooks& hooks) const override {
        const std::vector<Score> scores = rows_.run(model, hooks.keep_going);
        TaskResult result;
        result.tokens = rows_.tokens();
        result.answers.resize(items().size());
        std::vector<float> greedy;
        std::vector<float> sum;
        std::vector<float> per_token;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const double log_likelihood = scores[i].log_likelihood;
            const bool known = !std::isnan(log_likelihood);
            result.complete = result.complete && known;
            greedy.push_back(known ? (scores[i].greedy ? 1.0F : 0.0F) : not_reached);
            sum.push_back(static_cast<float>(log_likelihood));
            per_token.push_back(
                static_cast<float>(log_likelihood / static_cast<double>(lengths_[i])));
        }
        result.metrics = {
            {"greedy", mean_of(greedy)}, {"sum", mean_of(sum)}, {"per_token", mean_of(per_token)}};
        switch (settings_.metric) {
            case LoglikelihoodSettings::Metric::greedy:
                result.item_scores = greedy;
                break;
            case LoglikelihoodSettings::Metric::sum:
                result.item_scores = sum;
                break;
            case LoglikelihoodSettings::Metric::per_token:
                result.item_scores = per_token;
                break;
        }
        result.score = mean_of(result.item_scores);
        return result;
    }

  private:
    LoglikelihoodSettings settings_;
    ScoreRows rows_;                    // one an item
    std::vector<std::size_t> lengths_;  // tokens of each continuation
};

}  // namespace

std::unique_ptr<PreparedTask> prepare_loglikelihood(const Task& task, Split split,
                                                    const Tokenizer& tokenizer,
                                                    const PrepareOptions& options) {
    return std::make_unique<LoglikelihoodTask>(task, split, tokenizer, options);
}

}  // namespace galapagos
