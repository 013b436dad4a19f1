#include "task/prepared_task.hpp"

#include <algorithm>
#include <variant>

#include "base/error.hpp"
#include "task/chat_template.hpp"
#include "task/kinds.hpp"

namespace galapagos {

PreparedTask::PreparedTask(const Task& task, Split split, const PrepareOptions& options)
    : name_(task.name()), split_(split), items_(task.items(split)) {
    if (items_.empty()) {
        throw UsageError("the task " + name_ + " has no " + std::string(name_of(split)) + " items",
                         "", "add them to " + task.path().string());
    }
    if (options.max_items && *options.max_items < items_.size()) {
        items_.resize(*options.max_items);
    }
}

bool PreparedTask::fit(std::vector<std::int32_t>& context, std::size_t new_tokens,
                       std::optional<int> max_tokens, const Item& item) {
    bool truncated = false;
    if (max_tokens) {
        const auto limit = static_cast<std::size_t>(*max_tokens);
        if (new_tokens >= limit) {
            throw UsageError(item.place + ": the item doesn't fit the model",
                             std::to_string(new_tokens) +
                                 " new tokens leave no room for a prompt in " +
                                 std::to_string(limit) + " tokens",
                             "shorten the item, ask for fewer new tokens or raise the limit");
        }
        const std::size_t room = limit - new_tokens;
        if (context.size() > room) {
            context.erase(context.begin(), context.end() - static_cast<std::ptrdiff_t>(room));
            truncated = true;
        }
    }
    longest_row_ = std::max(longest_row_, static_cast<int>(context.size() + new_tokens));
    return truncated;
}

std::string remark_on_cuts(const PreparedTask& task) {
    if (task.truncated_items() == 0) {
        return {};
    }
    return "task " + task.name() + ": " + std::to_string(task.truncated_items()) + " of " +
           std::to_string(task.items().size()) + ' ' + std::string(name_of(task.split())) +
           " items are longer than the model's context; their prompts lose the beginning";
}

double mean_of(const std::vector<float>& scores) {
    double sum = 0;
    for (const float score : scores) {
        sum += static_cast<double>(score);
    }
    return sum / static_cast<double>(scores.size());
}

std::unique_ptr<const PreparedTask> prepare(const Task& task, Split split,
                                            const Tokenizer& tokenizer,
                                            const PrepareOptions& options) {
    check_chat_template(task.items(split), options.model_folder);
    const TaskSettings& settings = task.settings();
    if (std::holds_alternative<GenerateSettings>(settings)) {
        return prepare_generate(task, split, tokenizer, options);
    }
    if (std::holds_alternative<MultipleChoiceSettings>(settings)) {
        return prepare_multiple_choice(task, split, tokenizer, options);
    }
    if (std::holds_alternative<LoglikelihoodSettings>(settings)) {
        return prepare_loglikelihood(task, split, tokenizer, options);
    }
    return prepare_perplexity(task, split, tokenizer, options);
}

}  // namespace galapagos
