// Tasks put to a real decoder, a tiny random one, at several tensor-parallel widths.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>

#include "support/loaded_model.hpp"
#include "support/tiny_models.hpp"
#include "task/evaluate.hpp"
#include "task/stop_detector.hpp"
#include "task/task_files.hpp"

namespace galapagos {
namespace {

using testing::TaskFiles;

constexpr int max_tokens = 96;

test::TinyModelOptions model_options() {
    test::TinyModelOptions options;
    options.vocab = 300;
    options.tokenizer = true;
    options.scale = 0.3;  // large enough that greedy choices don't hang on rounding
    return options;
}

class DecoderEvaluation : public ::testing::Test {
  protected:
    DecoderEvaluation()
        : model_path_(test::make_tiny_model(folder_.path() / "model", model_options())),
          group_(Communicator::world()),
          model_(model_path_, DType::f32, group_.size(), group_.rank()),
          decoder_(model_.architecture, model_.sharding, model_.arena, group_,
                   {DType::f32, 3, max_tokens, 64}),
          tokenizer_(Tokenizer::load(model_path_)) {
        files_.write(
            "items.jsonl",
            R"({"id": 1, "q": "the first question is long", "options": ["yes", "no way"], "gold": 0}
{"id": 2, "q": "short", "options": ["a", "b", "cc"], "gold": 1}
{"id": 3, "q": "東京", "options": ["はい", "いいえ"], "gold": 0}
{"id": 4, "q": "1 + 1 =", "options": ["2", "3"], "gold": 0}
{"id": 5, "q": "another", "options": ["x", "y"], "gold": 1})");
    }

    std::unique_ptr<const PreparedTask> prepare_kind(const std::string& kind_keys) {
        files_.write("task.yaml",
                     "galapagos_task: 1\nname: tiny\nitems: {train: items.jsonl}\n" + kind_keys);
        PrepareOptions options;
        options.end_ids = {256};
        options.prefix_id = 256;
        options.max_tokens = max_tokens;
        return prepare(files_.load(), Split::train, tokenizer_, options);
    }

    void expect_same_on_all_ranks(const TaskResult& result) {
        std::size_t digest = std::hash<double>()(result.score);
        for (const std::string& answer : result.answers) {
            digest = digest * 31 + std::hash<std::string>()(answer);
        }
        for (const std::size_t other : group_.all_gather_values(digest)) {
            EXPECT_EQ(other, digest);
        }
    }

    test::TemporaryFolder folder_;
    std::filesystem::path model_path_;
    TensorGroup group_;
    test::LoadedModel model_;
    Decoder decoder_;
    Tokenizer tokenizer_;
    TaskFiles files_;
};

const char* const generate_task = R"(kind: generate
prompt: "Q {q}"
generate: {max_new_tokens: 12, stop: [STOP]}
answer: {target: "{gold}"}
)";

std::string with_stop(const std::string& stop) {
    std::string text = generate_task;
    return text.replace(text.find("STOP"), 4, "'" + stop + "'");
}

TEST_F(DecoderEvaluation, GeneratesInBatchesWhatEachPromptAloneGives) {
    const auto task = prepare_kind(with_stop("never said"));
    const TaskResult result = evaluate(*task, decoder_);
    ASSERT_TRUE(result.complete);
    expect_same_on_all_ranks(result);
    for (std::size_t i = 0; i < task->items().size(); ++i) {
        const GenerationRequest alone{tokenizer_.encode(task->items()[i].prompt, true), 12, {0}};
        const Generation generation = decoder_.generate({alone}).front();
        EXPECT_EQ(result.answers[i], tokenizer_.decode(generation.ids, true));
    }
    EXPECT_EQ(evaluate(*task, decoder_).answers, result.answers);
}

TEST_F(DecoderEvaluation, StopStringsEndRowsEarlyAndCutTheText) {
    const TaskResult whole = evaluate(*prepare_kind(with_stop("never said")), decoder_);
    // What the model says is noise: take a character from the middle of it for a stop string, but
    // none of a special token's text, which would end rows too and then be left out of the answer.
    const std::string special = "<|endoftext|><|im_start|><|im_end|>";
    std::string text;
    for (const std::string& answer : whole.answers) {
        text += answer;
    }
    std::string stop;
    for (std::size_t i = text.size() / 3; i < text.size() && stop.empty(); ++i) {
        if (std::isgraph(static_cast<unsigned char>(text[i])) != 0 && text[i] != '\'' &&
            special.find(text[i]) == std::string::npos) {
            stop = text[i];
        }
    }
    ASSERT_FALSE(stop.empty());
    const TaskResult cut = evaluate(*prepare_kind(with_stop(stop)), decoder_);
    EXPECT_TRUE(cut.complete);
    EXPECT_LT(cut.generated_tokens, whole.generated_tokens);
    for (std::size_t i = 0; i < cut.answers.size(); ++i) {
        EXPECT_EQ(cut.answers[i], cut_at_stop(whole.answers[i], {stop}));
    }
    expect_same_on_all_ranks(cut);
}

TEST_F(DecoderEvaluation, ScoresChoicesAndTexts) {
    const auto choices = prepare_kind(
        "kind: multiple_choice\nprompt: 'Q {q}'\nmultiple_choice: {choices: options, gold: gold, "
        "metric: acc}\n");
    const TaskResult result = evaluate(*choices, decoder_);
    expect_same_on_all_ranks(result);
    for (std::size_t i = 0; i < choices->items().size(); ++i) {
        const Item& item = choices->items()[i];
        const auto context = tokenizer_.encode(item.prompt, true);
        double best = -INFINITY;
        std::string best_choice;
        for (const std::string& choice : item.choices) {
            const double score = decoder_.score({{context, tokenizer_.encode(" " + choice, false)}})
                                     .front()
                                     .log_likelihood;
            if (score > best) {
                best = score;
                best_choice = choice;
            }
        }
        EXPECT_EQ(result.answers[i], best_choice);
    }
    const auto texts = prepare_kind(
        "kind: perplexity\nperplexity: {text: '{q} and again {q}', window: 8, unit: token}\n");
    const TaskResult perplexity = evaluate(*texts, decoder_);
    expect_same_on_all_ranks(perplexity);
    EXPECT_LT(perplexity.score, 0);
    EXPECT_GT(perplexity.score, -20);
}

TEST_F(DecoderEvaluation, EndsBetweenBatches) {
    const auto task = prepare_kind(with_stop("never said"));
    int calls = 0;
    const TaskResult result = evaluate(*task, decoder_, {[&] {
        return ++calls < 3 || group_.rank() > 0;  // whose answers don't count
    }});
    EXPECT_FALSE(result.complete);
    EXPECT_TRUE(std::isnan(result.score));
    EXPECT_EQ(calls, 3);
}

TEST_F(DecoderEvaluation, TheCacheNeedsNoMoreThanTheLongestRow) {
    const auto task = prepare_kind(with_stop("never said"));
    Decoder small(model_.architecture, model_.sharding, model_.arena, group_,
                  {DType::f32, 5, task->longest_row(), 256});
    EXPECT_EQ(evaluate(*task, small).answers, evaluate(*task, decoder_).answers);
}

}  // namespace
}  // namespace galapagos
