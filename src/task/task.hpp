#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "task/answer.hpp"

namespace galapagos {

/// Fitness comes from train, model choice from validation, the final score from test.
enum class Split { train, validation, test };

inline constexpr std::array<Split, 3> all_splits{Split::train, Split::validation, Split::test};

std::string_view name_of(Split split);

/// One example, with its templates filled in.
struct Item {
    std::string id;
    std::string place;   // file:line
    std::string prompt;  // empty for perplexity
    std::string target;  // generate: right answer; loglikelihood: continuation; perplexity: text
    std::vector<std::string> more_targets = {};  // generate: what is right as well
    std::vector<std::string> choices;            // multiple_choice only
    std::vector<std::size_t> gold;  // multiple_choice only: indices of right choices, at least one
    std::string chat_template_sha256 = {};  // of the template that rendered the prompt, if one did
};

struct GenerateSettings {
    int max_new_tokens = 0;
    std::vector<std::string> stop;
    AnswerSettings answer;
};

struct MultipleChoiceSettings {
    enum class Metric { acc, acc_norm };

    std::string delimiter = " ";
    Metric metric = Metric::acc_norm;
};

struct LoglikelihoodSettings {
    enum class Metric { greedy, sum, per_token };

    Metric metric = Metric::per_token;
};

struct PerplexitySettings {
    enum class Unit { token, word, byte };

    Unit unit = Unit::byte;
    std::optional<int> window;  // tokens
};

using TaskSettings = std::variant<GenerateSettings, MultipleChoiceSettings, LoglikelihoodSettings,
                                  PerplexitySettings>;

/// A task file (config/tasks/README.md gives its format) with all its items, read and checked.
class Task {
  public:
    /// Throws UsageError with file and line for anything malformed: unknown or missing keys, items
    /// without a needed field, answers that don't fit the metric, an id that occurs twice, a
    /// question that occurs in two splits.
    static Task load(const std::filesystem::path& path);

    const std::string& name() const { return name_; }
    const std::filesystem::path& path() const { return path_; }
    bool add_special_tokens() const { return add_special_tokens_; }
    const TaskSettings& settings() const { return settings_; }
    /// Of all that decides a score: the settings and the items, not where they lie or how they are
    /// laid out.
    const std::string& sha256() const { return sha256_; }

    /// Items of a split in the order of their file; empty if the task hasn't that split.
    const std::vector<Item>& items(Split split) const {
        return items_[static_cast<std::size_t>(split)];
    }

  private:
    friend class TaskReader;
    Task() = default;

    std::string name_;
    std::filesystem::path path_;
    bool add_special_tokens_ = true;
    std::string sha256_;
    TaskSettings settings_;
    std::array<std::vector<Item>, all_splits.size()> items_;
};

}  // namespace galapagos
