#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "task/language_model.hpp"
#include "task/task.hpp"
#include "task/task_result.hpp"
#include "tokenizer/tokenizer.hpp"

namespace galapagos {

/// What of the model's side goes into the requests.
struct PrepareOptions {
    std::vector<std::int32_t> end_ids;      // end-of-text ids, which end a generated row
    std::optional<std::int32_t> prefix_id;  // stands for an empty context: BOS, else EOS
    std::optional<int> max_tokens;  // longest row of the model; longer prompts lose their beginning
    std::optional<std::size_t> max_items;     // only the first so many items of the split
    std::filesystem::path model_folder = {};  // whose chat template rendered prompts must come from
};

/// Called while a task is evaluated, on every rank that has them; rank 0's answers count.
struct EvaluateHooks {
    std::function<bool()> keep_going;  // between batches; false ends the evaluation
};

/// One split of a task with every prompt tokenised, ready to be put to thousands of candidates.
/// Requests are ordered by length, ties by item, so batches depend on the items alone. Immutable.
class PreparedTask {
  public:
    virtual ~PreparedTask() = default;
    PreparedTask(const PreparedTask&) = delete;
    PreparedTask& operator=(const PreparedTask&) = delete;

    const std::string& name() const { return name_; }
    Split split() const { return split_; }
    const std::vector<Item>& items() const { return items_; }

    /// Tokens of the longest row, prompt and new tokens together: what the model's cache must hold.
    /// The last id of a continuation is predicted, not read, and doesn't count.
    int longest_row() const { return longest_row_; }

    /// Number of items whose prompt was cut to fit max_tokens.
    std::size_t truncated_items() const { return truncated_items_; }

    /// Puts the split to `model`. Ranks of a tensor-parallel group all call it and get the same
    /// result.
    virtual TaskResult evaluate(LanguageModel& model, const EvaluateHooks& hooks) const = 0;

  protected:
    PreparedTask(const Task& task, Split split, const PrepareOptions& options);

    /// Takes a row of `context` and `new_tokens` more into longest_row, after cutting the context's
    /// beginning where the row would exceed `max_tokens`; says whether it cut. Throws UsageError,
    /// naming the item, when not one token of context would be left.
    bool fit(std::vector<std::int32_t>& context, std::size_t new_tokens,
             std::optional<int> max_tokens, const Item& item);

    void count_truncated(bool truncated) { truncated_items_ += truncated ? 1 : 0; }

  private:
    std::string name_;
    Split split_;
    std::vector<Item> items_;
    int longest_row_ = 0;
    std::size_t truncated_items_ = 0;
};

/// What a user should know of prompts that were cut; empty if none was.
std::string remark_on_cuts(const PreparedTask& task);

/// Tokenises a split. Throws UsageError if the task hasn't that split, or an item doesn't fit.
std::unique_ptr<const PreparedTask> prepare(const Task& task, Split split,
                                            const Tokenizer& tokenizer,
                                            const PrepareOptions& options);

}  // namespace galapagos
