#include "task/task_kind.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "task/decimal.hpp"
#include "task/prompt_template.hpp"

namespace galapagos {

namespace {

using nlohmann::json;

PromptTemplate read_template(const YamlReader& node) {
    return PromptTemplate(node.as_string(), node.where());
}

int read_positive(const YamlReader& node) {
    const std::int64_t value = node.as_int();
    if (value < 1 || value > std::numeric_limits<int>::max()) {
        node.fail("a whole number of at least 1 is expected");
    }
    return static_cast<int>(value);
}

// One of a few words, as an index into `names`.
std::size_t read_word(const YamlReader& node, const std::vector<std::string>& names) {
    const std::string word = node.as_string();
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
        node.fail("unknown value '" + word + "'", name_hint(word, names));
    }
    return static_cast<std::size_t>(found - names.begin());
}

// A word that stands for an enumerator; `names` follow the order of the enumeration.
template <typename Enum>
void read_choice(const YamlReader& node, const std::string& key,
                 const std::vector<std::string>& names, Enum& value) {
    if (const auto child = node.find(key)) {
        value = static_cast<Enum>(read_word(*child, names));
    }
}

std::vector<std::string> read_texts(const YamlReader& list) {
    std::vector<std::string> texts;
    for (const YamlReader& element : list.elements()) {
        texts.push_back(element.as_string());
        if (texts.back().empty()) {
            element.fail("an empty text");
        }
    }
    return texts;
}

std::optional<ScriptRule> read_script_rule(const YamlReader& answer) {
    const auto node = answer.find("require_script");
    if (!node) {
        return std::nullopt;
    }
    node->allow_only({"scripts", "share"});
    const double share = node->at("share").as_double();
    if (!(share > 0 && share <= 1)) {
        node->at("share").fail("a share above 0 and at most 1 is expected");
    }
    const std::vector<std::string> scripts = read_texts(node->at("scripts"));
    if (scripts.empty()) {
        node->at("scripts").fail("at least one script is needed");
    }
    try {
        return ScriptRule(scripts, share);
    } catch (const UsageError& error) {
        node->at("scripts").fail(error.what());
    }
}

Pattern read_pattern(const YamlReader& node) {
    try {
        return Pattern(node.as_string());
    } catch (const UsageError& error) {
        node.fail(error.what());
    }
}

void read_pattern_keys(const YamlReader& answer, AnswerSettings& settings) {
    const auto pattern = answer.find("pattern");
    if (!pattern) {
        for (const char* key : {"group", "match"}) {
            if (answer.has(key)) {
                answer.at(key).fail("means nothing without a pattern");
            }
        }
        return;
    }
    settings.pattern = read_pattern(*pattern);
    settings.group = settings.pattern->group_count() > 0 ? 1 : 0;
    const auto group = answer.find("group");
    if (group && group->as_string() == "any") {
        settings.group = Pattern::any_group;
    } else if (group) {
        const std::int64_t index = group->as_int();
        const auto count = static_cast<std::int64_t>(settings.pattern->group_count());
        if (index < 0 || index > count) {
            group->fail("the pattern has " + std::to_string(count) + " groups");
        }
        settings.group = static_cast<std::size_t>(index);
    }
    read_choice(answer, "match", {"first", "last"}, settings.which);
}

AnswerSettings read_answer(const YamlReader& answer) {
    answer.allow_only({"pattern", "group", "match", "compare", "trim", "remove", "ignore_case",
                       "target", "require_script"});
    AnswerSettings settings;
    read_pattern_keys(answer, settings);
    read_choice(answer, "compare", {"exact", "numeric"}, settings.comparison);
    read_choice(answer, "trim", {"both", "answer", "none"}, settings.trim);
    if (const auto remove = answer.find("remove")) {
        for (const YamlReader& pattern : remove->elements()) {
            settings.remove.push_back(read_pattern(pattern));
        }
    }
    if (const auto ignore_case = answer.find("ignore_case")) {
        settings.ignore_case = ignore_case->as_bool();
    }
    if (settings.comparison == AnswerSettings::Comparison::numeric) {
        for (const char* key : {"trim", "ignore_case"}) {
            if (answer.has(key)) {
                answer.at(key).fail("means nothing for numbers");
            }
        }
    }
    settings.script = read_script_rule(answer);
    return settings;
}

void check_target(const std::string& written, const AnswerSettings& settings,
                  const std::string& place) {
    const std::string target = target_to_compare(written, settings);
    if (trim(target).empty()) {
        throw UsageError(place + ": the right answer is empty",
                         settings.remove.empty() ? "" : "or answer.remove leaves nothing of it");
    }
    if (settings.comparison == AnswerSettings::Comparison::numeric && !parse_decimal(target)) {
        throw UsageError(place + ": the right answer isn't a number",
                         "it is \"" + written + "\", and the task compares numbers",
                         "write it like 1234.5, or set answer.compare to exact");
    }
}

/// All that is right; a template that is one field alone takes a list of it.
std::vector<std::string> right_answers(const PromptTemplate& target, const json& fields,
                                       const std::string& place) {
    const auto name = target.only_field();
    const auto field = name ? fields.find(*name) : fields.end();
    if (field == fields.end() || !field->is_array()) {
        return {target.render(fields, place)};
    }
    std::vector<std::string> answers;
    for (const json& answer : *field) {
        answers.push_back(field_text(json::object({{*name, answer}}), *name, place));
    }
    if (answers.empty()) {
        throw UsageError(place + ": the field '" + *name + "' names no right answer");
    }
    return answers;
}

TaskKind read_generate(const YamlReader& root) {
    GenerateSettings settings;
    const YamlReader generate = root.at("generate");
    generate.allow_only({"max_new_tokens", "stop"});
    settings.max_new_tokens = read_positive(generate.at("max_new_tokens"));
    if (const auto stop = generate.find("stop")) {
        settings.stop = read_texts(*stop);
    }
    PromptTemplate target("{answer}", root.where());
    if (const auto answer = root.find("answer")) {
        settings.answer = read_answer(*answer);
        if (const auto node = answer->find("target")) {
            target = read_template(*node);
        }
    }
    const PromptTemplate prompt = read_template(root.at("prompt"));
    auto fill = [prompt, target, answer = settings.answer](const json& fields, Item& item) {
        item.prompt = prompt.render(fields, item.place);
        item.more_targets = right_answers(target, fields, item.place);
        for (const std::string& right : item.more_targets) {
            check_target(right, answer, item.place);
        }
        item.target = item.more_targets.front();
        item.more_targets.erase(item.more_targets.begin());
    };
    return {std::move(settings), std::move(fill), {"prompt", "generate", "answer"}};
}

std::vector<std::string> choices_of(const json& fields, const std::string& name,
                                    const std::string& place) {
    const auto field = fields.find(name);
    if (field == fields.end() || !field->is_array() || field->empty()) {
        throw UsageError(place + ": the field '" + name + "' must be a list of choices");
    }
    std::vector<std::string> choices;
    for (const json& choice : *field) {
        choices.push_back(choice.is_string() ? choice.get<std::string>() : choice.dump());
        if (choices.back().empty() || choice.is_structured() || choice.is_null()) {
            throw UsageError(place + ": a choice in '" + name + "' is no text");
        }
    }
    return choices;
}

std::size_t gold_index(const json& gold, const std::vector<std::string>& choices,
                       const std::string& name, const std::string& place) {
    if (gold.is_number_unsigned() && gold.get<std::uint64_t>() < choices.size()) {
        return gold.get<std::size_t>();
    }
    if (gold.is_string()) {
        const auto found = std::find(choices.begin(), choices.end(), gold.get<std::string>());
        if (found != choices.end()) {
            return static_cast<std::size_t>(found - choices.begin());
        }
    }
    throw UsageError(place + ": the field '" + name + "' names no choice",
                     "it holds " + gold.dump() + ", and there are " +
                         std::to_string(choices.size()) + " choices",
                     "an index from 0 or the text of a choice is expected");
}

std::vector<std::size_t> gold_of(const json& fields, const std::string& name,
                                 const std::vector<std::string>& choices,
                                 const std::string& place) {
    const auto field = fields.find(name);
    if (field == fields.end() || (field->is_array() && field->empty())) {
        throw UsageError(place + ": the field '" + name + "' must name the right choice");
    }
    if (!field->is_array()) {
        return {gold_index(*field, choices, name, place)};
    }
    std::vector<std::size_t> gold;
    for (const json& element : *field) {
        gold.push_back(gold_index(element, choices, name, place));
    }
    return gold;
}

TaskKind read_multiple_choice(const YamlReader& root) {
    MultipleChoiceSettings settings;
    const YamlReader node = root.at("multiple_choice");
    node.allow_only({"choices", "gold", "delimiter", "metric"});
    if (const auto delimiter = node.find("delimiter")) {
        settings.delimiter = delimiter->as_string();
    }
    read_choice(node, "metric", {"acc", "acc_norm"}, settings.metric);
    const PromptTemplate prompt = read_template(root.at("prompt"));
    const std::string choices = node.at("choices").as_string();
    const std::string gold = node.at("gold").as_string();
    auto fill = [prompt, choices, gold](const json& fields, Item& item) {
        item.prompt = prompt.render(fields, item.place);
        item.choices = choices_of(fields, choices, item.place);
        item.gold = gold_of(fields, gold, item.choices, item.place);
    };
    return {settings, std::move(fill), {"prompt", "multiple_choice"}};
}

TaskKind read_loglikelihood(const YamlReader& root) {
    LoglikelihoodSettings settings;
    const YamlReader node = root.at("loglikelihood");
    node.allow_only({"continuation", "metric"});
    read_choice(node, "metric", {"greedy", "sum", "per_token"}, settings.metric);
    const PromptTemplate prompt = read_template(root.at("prompt"));
    const PromptTemplate continuation = read_template(node.at("continuation"));
    auto fill = [prompt, continuation](const json& fields, Item& item) {
        item.prompt = prompt.render(fields, item.place);
        item.target = continuation.render(fields, item.place);
        if (item.target.empty()) {
            throw UsageError(item.place + ": the continuation is empty");
        }
    };
    return {settings, std::move(fill), {"prompt", "loglikelihood"}};
}

TaskKind read_perplexity(const YamlReader& root) {
    PerplexitySettings settings;
    const YamlReader node = root.at("perplexity");
    node.allow_only({"text", "unit", "window"});
    read_choice(node, "unit", {"token", "word", "byte"}, settings.unit);
    if (const auto window = node.find("window")) {
        settings.window = read_positive(*window);
    }
    const PromptTemplate text = read_template(node.at("text"));
    auto fill = [text](const json& fields, Item& item) {
        item.target = text.render(fields, item.place);
        if (trim(item.target).empty()) {
            throw UsageError(item.place + ": the text is empty");
        }
    };
    return {settings, std::move(fill), {"perplexity"}};
}

}  // namespace

TaskKind read_task_kind(const YamlReader& root) {
    const std::vector<std::string> names{"generate", "multiple_choice", "loglikelihood",
                                         "perplexity"};
    switch (read_word(root.at("kind"), names)) {
        case 0:
            return read_generate(root);
        case 1:
            return read_multiple_choice(root);
        case 2:
            return read_loglikelihood(root);
        default:
            return read_perplexity(root);
    }
}

}  // namespace galapagos
