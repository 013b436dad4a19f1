#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "task/kinds.hpp"
#include "task/rolling_windows.hpp"
#include "task/score_rows.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

constexpr double not_reached = std::numeric_limits<double>::quiet_NaN();

std::size_t count_words(std::string_view text) {
    std::size_t words = 0;
    bool in_word = false;
    for (std::size_t offset = 0; offset < text.size();) {
        const CodePoint point = code_point_at(text, offset);
        const bool word = !is_python_space(point.value);
        words += word && !in_word ? 1 : 0;
        in_word = word;
        offset += point.size;
    }
    return words;
}

class PerplexityTask final : public PreparedTask {
  public:
    PerplexityTask(const Task& task, Split split, const Tokenizer& tokenizer,
                   const PrepareOptions& options)
        : PreparedTask(task, split, options),
          settings_(std::get<PerplexitySettings>(task.settings())) {
        const int window = window_of(options);
        if (!options.prefix_id) {
            throw UsageError("can't compute the perplexity of " + name(),
                             "the model has no begin-of-text or end-of-text token to begin from");
        }
        std::size_t group = 0;
        for (const Item& item : items()) {
            const std::vector<std::int32_t> ids =
                tokenizer.encode(item.target, task.add_special_tokens());
            units_.push_back(units_of(item.target, ids.size()));
            for (ScoreRequest& row : rolling_windows(ids, *options.prefix_id, window)) {
                fit(row.context, row.continuation.size() - 1, options.max_tokens, item);
                rows_.add(std::move(row), group++);
            }
            rows_end_.push_back(rows_.size());
        }
        rows_.sort();
    }

    TaskResult evaluate(LanguageModel& model, const EvaluateHooks& hooks) const override {
        const std::vector<Score> scores = rows_.run(model, hooks.keep_going);
        TaskResult result;
        result.tokens = rows_.tokens();
        result.answers.resize(items().size());
        double sum = 0;
        double units = 0;
        std::size_t row = 0;
        for (std::size_t i = 0; i < items().size(); ++i) {
            double item_sum = 0;
            for (; row < rows_end_[i]; ++row) {
                item_sum += scores[row].log_likelihood;
            }
            result.complete = result.complete && !std::isnan(item_sum);
            result.item_scores.push_back(static_cast<float>(item_sum / units_[i]));
            sum += item_sum;
            units += units_[i];
        }
        result.score = result.complete ? sum / units : not_reached;
        result.metrics = {{"log_likelihood", result.score},
                          {"perplexity", std::exp(-result.score)}};
        return result;
    }

  private:
    int window_of(const PrepareOptions& options) const {
        if (settings_.window) {
            return *settings_.window;
        }
        if (!options.max_tokens) {
            throw UsageError("can't compute the perplexity of " + name(),
                             "neither the task nor the model limits the length of a window",
                             "set perplexity.window in the task");
        }
        return *options.max_tokens;
    }

    double units_of(const std::string& text, std::size_t tokens) const {
        switch (settings_.unit) {
            case PerplexitySettings::Unit::token:
                return static_cast<double>(tokens);
            case PerplexitySettings::Unit::word:
                return static_cast<double>(count_words(text));
            case PerplexitySettings::Unit::byte:
                break;
        }
        return static_cast<double>(text.size());
    }

    PerplexitySettings settings_;
    ScoreRows rows_;                     // windows of each item in turn
    std::vector<std::size_t> rows_end_;  // by item: number of rows up to its last
    std::vector<double> units_;          // by item
};

}  // namespace

std::unique_ptr<PreparedTask> prepare_perplexity(const Task& task, Split split,
                                                 const Tokenizer& tokenizer,
                                                 const PrepareOptions& options) {
    return std::make_unique<PerplexityTask>(task, split, tokenizer, options);
}

}  // namespace galapagos
