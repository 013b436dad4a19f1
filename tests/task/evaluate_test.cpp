#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.hpp"
#include "task/continuation.hpp"
#include "task/fake_model.hpp"
#include "task/prepared_task.hpp"
#include "task/rolling_windows.hpp"
#include "task/stop_detector.hpp"
#include "task/task_files.hpp"

namespace galapagos {
namespace {

using ::testing::ElementsAre;
using testing::FakeModel;
using testing::TaskFiles;

double metric(const TaskResult& result, const std::string& name) {
    for (const Metric& metric : result.metrics) {
        if (metric.name == name) {
            return metric.value;
        }
    }
    ADD_FAILURE() << "no metric " << name;
    return 0;
}

TaskFiles& write_sums(TaskFiles& files, const std::string& answer) {
    return files
        .write("task.yaml", R"(galapagos_task: 1
name: sums
kind: generate
items: {train: train.jsonl}
prompt: "<|im_start|>{question}<|im_end|>"
generate: {max_new_tokens: 20, stop: ["<|im_end|>", "END"]}
answer: )" + answer)
        .write("train.jsonl", R"({"question": "long question", "answer": 2}
{"question": "b", "answer": 1234}
{"question": "a", "answer": 30}
{"question": "ccc", "answer": 4})");
}

FakeModel sums_model(const TaskFiles& files, const std::map<std::string, std::string>& replies) {
    FakeModel model(files.tokenizer());
    model.reply = [replies](const std::string& prompt) {
        const std::size_t begin = std::string("<|im_start|>").size();
        return replies.at(prompt.substr(begin, prompt.find("<|im_end|>") - begin));
    };
    return model;
}

TEST(GenerateTask, ScoresItemsInTheirOrder) {
    TaskFiles files;
    write_sums(files, "{pattern: '[\\d,.]+', match: last, compare: numeric}\n");
    FakeModel model = sums_model(files, {{"long question", "1 or 2<|im_end|>7"},
                                         {"b", "is 1,234.0"},
                                         {"a", "it's 30. ENDE 5"},
                                         {"ccc", "no idea"}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {{0}, {}, {}, {}});
    const TaskResult result = task->evaluate(model, {});
    EXPECT_THAT(result.item_scores, ElementsAre(1, 1, 1, 0));
    EXPECT_THAT(result.answers, ElementsAre("1 or 2", "is 1,234.0", "it's 30. ", "no idea"));
    EXPECT_DOUBLE_EQ(result.score, 0.75);
    EXPECT_DOUBLE_EQ(metric(result, "answered"), 0.75);
    EXPECT_TRUE(result.complete);
}

TEST(GenerateTask, AnyOfSeveralAnswersIsRight) {
    TaskFiles files;
    write_sums(files, "{}\n").write("train.jsonl", R"({"question": "a", "answer": ["two", "2"]}
{"question": "b", "answer": ["two", "2"]}
{"question": "c", "answer": ["two", "2"]})");
    FakeModel model = sums_model(files, {{"a", "2END"}, {"b", "two END"}, {"c", "twoEND"}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {});
    EXPECT_THAT(task->evaluate(model, {}).item_scores, ElementsAre(1, 1, 1));
    FakeModel other = sums_model(files, {{"a", "3END"}, {"b", "2 two END"}, {"c", "twoEND"}});
    EXPECT_THAT(task->evaluate(other, {}).item_scores, ElementsAre(0, 0, 1));
}

TEST(GenerateTask, AsksByPromptLengthWithTiesByItem) {
    TaskFiles files;
    write_sums(files, "{compare: numeric}\n");
    FakeModel model = sums_model(files, {{"long question", ""}, {"b", ""}, {"a", ""}, {"ccc", ""}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {{0}, {}, {}, {}});
    task->evaluate(model, {});
    std::vector<std::string> prompts;
    for (const GenerationRequest& request : model.generation_requests) {
        prompts.push_back(files.tokenizer().decode(request.prompt, true));
        EXPECT_EQ(request.max_new_tokens, 20);
        EXPECT_THAT(request.stop_ids, ElementsAre(0));
    }
    EXPECT_THAT(prompts, ElementsAre("b", "a", "ccc", "long question"));
    EXPECT_EQ(task->longest_row(), 2 + 13 + 20);
}

TEST(GenerateTask, StopsARowAtOnce) {
    TaskFiles files;
    write_sums(files, "{compare: numeric}\n");
    const std::string long_reply = "30END" + std::string(10, 'x');
    FakeModel model = sums_model(
        files,
        {{"long question", long_reply}, {"b", long_reply}, {"a", long_reply}, {"ccc", long_reply}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {});
    const TaskResult result = task->evaluate(model, {});
    EXPECT_EQ(model.generated_ids, 4U * 5U);
    EXPECT_EQ(result.generated_tokens, 20);
    EXPECT_THAT(result.item_scores, ElementsAre(0, 0, 1, 0));
}

TEST(GenerateTask, AScriptRuleIsAskedOfTheWholeText) {
    TaskFiles files;
    write_sums(files,
               "{pattern: '\\d+', compare: numeric, require_script: {scripts: [Han, Hiragana], "
               "share: 0.5}}\n");
    FakeModel model = sums_model(
        files, {{"long question", "答えは2"}, {"b", "the 1234"}, {"a", "答え31"}, {"ccc", "4"}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {});
    const TaskResult result = task->evaluate(model, {});
    EXPECT_THAT(result.item_scores, ElementsAre(1, 0, 0, 0));
    EXPECT_DOUBLE_EQ(metric(result, "answer_only"), 0.75);
    EXPECT_DOUBLE_EQ(metric(result, "script_only"), 0.5);
}

TEST(GenerateTask, AnEvaluationThatIsStoppedSaysSo) {
    TaskFiles files;
    write_sums(files, "{compare: numeric}\n");
    FakeModel model =
        sums_model(files, {{"long question", "2"}, {"b", "1"}, {"a", "30"}, {"ccc", "4"}});
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {});
    int batches = 0;
    const TaskResult result = task->evaluate(model, {[&] { return ++batches <= 2; }});
    EXPECT_FALSE(result.complete);
    EXPECT_TRUE(std::isnan(result.score));
    EXPECT_TRUE(std::isnan(result.item_scores[0]));
    EXPECT_EQ(result.item_scores[1], 0);
    EXPECT_EQ(result.item_scores[2], 1);
}

TEST(GenerateTask, CutsLongPromptsAtTheirBeginning) {
    TaskFiles files;
    write_sums(files, "{compare: numeric}\n");
    FakeModel model(files.tokenizer());
    model.reply = [](const std::string&) { return "2"; };
    const auto task = prepare(files.load(), Split::train, files.tokenizer(), {{}, {}, 25, {}});
    task->evaluate(model, {});
    EXPECT_EQ(task->truncated_items(), 1U);
    EXPECT_EQ(remark_on_cuts(*task),
              "task sums: 1 of 4 train items are longer than the model's context; their prompts "
              "lose the beginning");
    EXPECT_EQ(task->longest_row(), 25);
    EXPECT_EQ(files.tokenizer().decode(model.generation_requests[2].prompt, false),
              "tion<|im_end|>");
    EXPECT_THROW(prepare(files.load(), Split::train, files.tokenizer(), {{}, {}, 20, {}}),
                 UsageError);
    EXPECT_THROW(prepare(files.load(), Split::test, files.tokenizer(), {}), UsageError);
    EXPECT_EQ(
        prepare(files.load(), Split::train, files.tokenizer(), {{}, {}, {}, 2})->items().size(),
        2U);
}

TEST(StopDetector, FindsStringsAcrossTokensAndCharacters) {
    TaskFiles files;
    const Tokenizer tokenizer = files.tokenizer();
    const std::vector<std::string> stop{"です", "the end"};
    const auto steps_to_stop = [&](const std::string& text) {
        StopDetector detector(tokenizer, stop);
        const std::vector<std::int32_t> ids = tokenizer.encode(text, false);
        std::vector<std::int32_t> so_far;
        for (const std::int32_t id : ids) {
            so_far.push_back(id);
            if (detector.advance(so_far)) {
                return static_cast<int>(so_far.size());
            }
        }
        return -1;
    };
    EXPECT_EQ(steps_to_stop("xです。"), 7);
    EXPECT_EQ(steps_to_stop("in the end it"), 6);  // "in", " the", " ", "e", "n", "d"
    EXPECT_EQ(steps_to_stop("でde thend"), -1);
}

TEST(Continuation, FollowsTheHarness) {
    TaskFiles files;
    const Tokenizer tokenizer = files.tokenizer();
    const auto split = [&](const std::string& context, const std::string& continuation) {
        const ScoreRequest request =
            split_continuation(context, continuation, tokenizer, {true, 0}, "items:1");
        return std::pair(tokenizer.decode(request.context, false),
                         tokenizer.decode(request.continuation, false));
    };
    using Texts = std::pair<std::string, std::string>;
    EXPECT_EQ(split("a b", " the"), Texts("a b", " the"));
    EXPECT_EQ(split("a b \u3000", "the"), Texts("a b", " \u3000the"));
    EXPECT_EQ(split("", "ing"), Texts("<|endoftext|>", "ing"));
    EXPECT_EQ(split("", "<|endoftext|>x"), Texts("<|endoftext|>", "x"));
    // "i" alone is one id; in "inga" it became part of "ing": what follows the first id is "a".
    EXPECT_EQ(split("i", "nga"), Texts("i", "a"));
    EXPECT_THROW(split("i", "ng"), UsageError);
    EXPECT_THROW(split_continuation("", "x", tokenizer, {true, {}}, "items:1"), UsageError);
}

TEST(MultipleChoiceTask, AccAndAccNorm) {
    TaskFiles files;
    files.write("task.yaml", R"(galapagos_task: 1
name: choices
kind: multiple_choice
items: {test: test.jsonl}
prompt: "{q}"
multiple_choice: {choices: options, gold: label}
)");
    // Sums are made up below: minus the bytes of the continuation, so the shortest choice wins
    // without normalisation.
    files.write("test.jsonl", R"({"q": "a longer question", "options": ["aaaa", "b"], "label": 1}
{"q": "x", "options": ["ああああ", "b"], "label": 0}
{"q": "y", "options": ["a", "b"], "label": 1})");
    const Tokenizer tokenizer = files.tokenizer();
    FakeModel model(tokenizer);
    model.judge = [&](const ScoreRequest& request) {
        const std::string text = tokenizer.decode(request.continuation, false);
        return Score{
            text.find("あ") != std::string::npos ? -4.5 : -static_cast<double>(text.size()), false};
    };
    const auto task = prepare(files.load(), Split::test, tokenizer, {});
    const TaskResult result = task->evaluate(model, {});
    // By sum: b (-2), b (-2), the first of equals. By code point: aaaa -5/4 beats b -2, あ -4.5/4
    // beats b -2.
    EXPECT_DOUBLE_EQ(metric(result, "acc"), 1.0 / 3);
    EXPECT_DOUBLE_EQ(metric(result, "acc_norm"), 1.0 / 3);
    EXPECT_THAT(result.item_scores, ElementsAre(0, 1, 0));
    EXPECT_THAT(result.answers, ElementsAre("aaaa", "ああああ", "a"));
    EXPECT_EQ(model.score_requests.size(), 6U);
    EXPECT_EQ(tokenizer.decode(model.score_requests[0].continuation, false), " a");
    EXPECT_EQ(tokenizer.decode(model.score_requests[5].continuation, false), " b");
    EXPECT_EQ(model.score_requests[4].context, model.score_requests[5].context);
}

TEST(LoglikelihoodTask, ThreeMetrics) {
    TaskFiles files;
    const auto load = [&](const std::string& chosen) {
        files.write("task.yaml", R"(galapagos_task: 1
name: endings
kind: loglikelihood
items: {test: test.jsonl}
prompt: "{q}"
loglikelihood: {continuation: " {end}", metric: )" +
                                     chosen + "}\n");
        return files.load();
    };
    files.write("test.jsonl", R"({"q": "x", "end": "abc"}
{"q": "y", "end": "the"})");
    const Tokenizer tokenizer = files.tokenizer();
    FakeModel model(tokenizer);
    model.judge = [](const ScoreRequest& request) {
        return Score{-2.0, request.continuation.size() == 1};
    };
    const auto evaluate = [&](const std::string& chosen) {
        return prepare(load(chosen), Split::test, tokenizer, {})->evaluate(model, {});
    };
    EXPECT_THAT(evaluate("greedy").item_scores, ElementsAre(0, 1));
    EXPECT_THAT(evaluate("sum").item_scores, ElementsAre(-2, -2));
    EXPECT_THAT(evaluate("per_token").item_scores, ElementsAre(-0.5, -2));
    EXPECT_DOUBLE_EQ(evaluate("per_token").score, -1.25);
}

// The last id of a continuation is only predicted: it needs no place in the model's context.
TEST(LoglikelihoodTask, CutsLongPromptsAsTheHarnessDoes) {
    TaskFiles files;
    files.write("task.yaml", R"(galapagos_task: 1
name: endings
kind: loglikelihood
items: {test: test.jsonl}
prompt: "{q}"
loglikelihood: {continuation: "{end}"}
)");
    files.write("test.jsonl", R"({"q": "abcdefgh", "end": "xyz"})");
    const Tokenizer tokenizer = files.tokenizer();
    FakeModel model(tokenizer);
    model.judge = [](const ScoreRequest&) { return Score{}; };
    const auto context_in = [&](int max_tokens) {
        const auto task = prepare(files.load(), Split::test, tokenizer, {{}, {}, max_tokens, {}});
        model.score_requests.clear();
        task->evaluate(model, {});
        EXPECT_EQ(task->truncated_items(), max_tokens < 10 ? 1U : 0U);
        EXPECT_EQ(task->longest_row(), max_tokens);
        return tokenizer.decode(model.score_requests.at(0).context, false);
    };
    EXPECT_EQ(context_in(10), "abcdefgh");
    EXPECT_EQ(context_in(9), "bcdefgh");
    EXPECT_EQ(context_in(3), "h");
    EXPECT_THROW(context_in(2), UsageError);
}

TEST(RollingWindows, PredictEveryIdOnce) {
    const auto texts = [](const std::vector<ScoreRequest>& rows) {
        std::vector<std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>>> pairs;
        for (const ScoreRequest& row : rows) {
            pairs.emplace_back(row.context, row.continuation);
        }
        return pairs;
    };
    using Ids = std::vector<std::int32_t>;
    using Rows = std::vector<std::pair<Ids, Ids>>;
    EXPECT_EQ(texts(rolling_windows({1, 2, 3}, 0, 4)), (Rows{{{0}, {1, 2, 3}}}));
    EXPECT_EQ(texts(rolling_windows({1, 2, 3, 4}, 0, 4)), (Rows{{{0}, {1, 2, 3, 4}}}));
    EXPECT_EQ(texts(rolling_windows({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0, 4)),
              (Rows{{{0}, {1, 2, 3, 4}}, {{4}, {5, 6, 7, 8}}, {{6, 7, 8}, {9, 10}}}));
    EXPECT_TRUE(rolling_windows({}, 0, 4).empty());
}

TEST(PerplexityTask, CountsItsUnits) {
    TaskFiles files;
    const auto evaluate = [&](const std::string& unit) {
        files.write("task.yaml", R"(galapagos_task: 1
name: texts
kind: perplexity
items: {test: test.jsonl}
perplexity: {text: "{text}", window: 4, unit: )" +
                                     unit + "}\n");
        const Tokenizer tokenizer = files.tokenizer();
        FakeModel model(tokenizer);
        model.judge = [](const ScoreRequest& request) {
            return Score{-static_cast<double>(request.continuation.size()), false};
        };
        return prepare(files.load(), Split::test, tokenizer, {{}, 0, {}, {}})->evaluate(model, {});
    };
    files.write("test.jsonl", R"({"text": " the the  the"}
{"text": "あbcdef"})");
    // Tokens: " the", " the", " ", " the" and 3 bytes, b, c, d, e, f.
    const TaskResult by_token = evaluate("token");
    EXPECT_DOUBLE_EQ(by_token.score, -1);
    EXPECT_DOUBLE_EQ(metric(by_token, "perplexity"), std::exp(1));
    EXPECT_THAT(evaluate("byte").item_scores, ElementsAre(-4.0F / 13, -1));
    EXPECT_DOUBLE_EQ(evaluate("byte").score, -12.0 / 21);
    EXPECT_THAT(evaluate("word").item_scores, ElementsAre(-4.0F / 3, -8));
    EXPECT_DOUBLE_EQ(evaluate("word").score, -3);
}

TEST(PerplexityTask, PredictsSpecialTokensIfAsked) {
    TaskFiles files;
    nlohmann::json json = testing::tiny_tokenizer_json();
    json["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<|im_start|>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"pair", nlohmann::json::array()},
        {"special_tokens",
         {{"<|im_start|>", {{"id", "<|im_start|>"}, {"ids", {1}}, {"tokens", {"<|im_start|>"}}}}}}};
    testing::write_tokenizer(files / "", json);
    const Tokenizer tokenizer = Tokenizer::load(files / "tokenizer.json");
    files.write("test.jsonl", R"({"text": "abcd"})");
    const auto rows = [&](const std::string& key) {
        files.write("task.yaml",
                    "galapagos_task: 1\nname: texts\nkind: perplexity\nitems: {test: test.jsonl}\n"
                    "perplexity: {text: '{text}'}\n" +
                        key);
        FakeModel model(tokenizer);
        model.judge = [](const ScoreRequest&) { return Score{}; };
        const auto task = prepare(files.load(), Split::test, tokenizer, {{}, 0, 3, {}});
        task->evaluate(model, {});
        std::vector<std::string> texts;
        for (const ScoreRequest& row : model.score_requests) {
            texts.push_back(tokenizer.decode(row.context, false) + "/" +
                            tokenizer.decode(row.continuation, false));
        }
        return texts;
    };
    // Windows of as many ids as the model reads, which is one less than a row holds.
    EXPECT_THAT(rows(""), ElementsAre("<|endoftext|>/abc", "abc/d"));
    EXPECT_THAT(rows("add_special_tokens: true\n"),
                ElementsAre("<|endoftext|>/<|im_start|>ab", "ab/cd"));
}

}  // namespace
}  // namespace galapagos
