#include "task/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "task/chat_template.hpp"
#include "task/task_files.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TaskFiles;

const char* const sums = R"(galapagos_task: 1
name: sums
kind: generate
items: {train: train.jsonl, test: test.jsonl}
prompt: "Q: {question}\nA:"
generate: {max_new_tokens: 8, stop: ["\n"]}
answer: {pattern: '(-?[\d,]+)', compare: numeric}
)";

const char* const train_items = R"({"id": "a", "question": "1+1", "answer": 2}

{"id": "b", "question": "2+2", "answer": "4.0"}
)";

std::string refusal(const TaskFiles& files) {
    try {
        files.load();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "";
}

// `text` with one place changed.
std::string with(std::string text, const std::string& from, const std::string& to) {
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    return text.replace(place, from.size(), to);
}

TaskFiles& write_sums(TaskFiles& files) {
    return files.write("task.yaml", sums)
        .write("train.jsonl", train_items)
        .write("test.jsonl", R"({"question": "3+3", "answer": 6})");
}

TEST(Task, RefusesATemplateWithFieldsInDoubleBracesOnly) {
    TaskFiles files;
    write_sums(files).write("task.yaml", with(sums, "{question}", "{{ question }}"));
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("task.yaml:5: prompt"), HasSubstr("{question}")));
    // Braces that are meant stay.
    files.write("task.yaml", with(sums, "{question}", "{{question}} {question}"));
    EXPECT_EQ(files.load().items(Split::train)[0].prompt, "Q: {question} 1+1\nA:");
}

TEST(Task, KnowsThatAnotherFileIsNoTask) {
    TaskFiles files;
    files.write("task.yaml", "merge_method: linear\n");
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("galapagos_task"), HasSubstr("config/tasks")));
    EXPECT_THAT([] { Task::load("arc_easy"); },
                ::testing::ThrowsMessage<UsageError>(
                    AllOf(HasSubstr("arc_easy"), HasSubstr("config/tasks"))));
}

TEST(Task, ReadsItemsInTheirOrder) {
    TaskFiles files;
    const Task task = write_sums(files).load();
    EXPECT_EQ(task.name(), "sums");
    ASSERT_EQ(task.items(Split::train).size(), 2U);
    EXPECT_EQ(task.items(Split::train)[1].id, "b");
    EXPECT_EQ(task.items(Split::train)[1].prompt, "Q: 2+2\nA:");
    EXPECT_EQ(task.items(Split::train)[1].target, "4.0");
    EXPECT_EQ(task.items(Split::test)[0].id, "test.jsonl:1");
    EXPECT_TRUE(task.items(Split::validation).empty());
    const auto& settings = std::get<GenerateSettings>(task.settings());
    EXPECT_EQ(settings.max_new_tokens, 8);
    EXPECT_THAT(settings.stop, ElementsAre("\n"));
    EXPECT_EQ(settings.answer.group, 1U);
}

TEST(Task, SplitsFromAField) {
    TaskFiles files;
    files.write("task.yaml", with(sums, "{train: train.jsonl, test: test.jsonl}",
                                  "{file: all.jsonl, split_field: part}"));
    files.write("all.jsonl", R"({"question": "1+1", "answer": 2, "part": "test"}
{"question": "1+2", "answer": 3, "part": "train"})");
    const Task task = files.load();
    EXPECT_EQ(task.items(Split::test)[0].target, "2");
    EXPECT_EQ(task.items(Split::train)[0].target, "3");
    files.write("all.jsonl", R"({"question": "1+1", "answer": 2, "part": "tset"})");
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("all.jsonl:1"), HasSubstr("test")));
}

TEST(Task, MalformedItemsAreNamedByFileAndLine) {
    const auto refused = [](const std::string& line) {
        TaskFiles files;
        write_sums(files).write("train.jsonl", train_items + line);
        const std::string message = refusal(files);
        EXPECT_THAT(message, HasSubstr("train.jsonl:4")) << line;
        return message;
    };
    refused("{\"id\": \"c\", ");
    refused("[1, 2]");
    refused(R"({"id": "c", "id": "d", "question": "5", "answer": 5})");
    EXPECT_THAT(refused(R"({"id": "c", "qestion": "5", "answer": 5})"), HasSubstr("qestion"));
    EXPECT_THAT(refused(R"({"id": "c", "question": ["5"], "answer": 5})"), HasSubstr("array"));
    EXPECT_THAT(refused(R"({"id": "c", "question": "5", "answer": "five"})"), HasSubstr("five"));
    EXPECT_THAT(refused(R"({"id": "c", "question": "5", "answer": " "})"), HasSubstr("empty"));
    EXPECT_THAT(refused(R"({"id": 1.5, "question": "5", "answer": 5})"), HasSubstr("1.5"));
    EXPECT_THAT(refused(R"({"id": "a", "question": "5", "answer": 5})"),
                HasSubstr("train.jsonl:1"));
}

TEST(Task, SeveralAnswersMayBeRight) {
    TaskFiles files;
    write_sums(files).write("train.jsonl", R"({"question": "1+1", "answer": [2, "2.0", "+2"]})");
    const Task task = files.load();
    EXPECT_EQ(task.items(Split::train)[0].target, "2");
    EXPECT_THAT(task.items(Split::train)[0].more_targets, ElementsAre("2.0", "+2"));
    files.write("train.jsonl", R"({"question": "1+1", "answer": [2, "2.0", "3"]})");
    EXPECT_NE(files.load().sha256(), task.sha256());
    for (const char* answer : {"[]", "[2, \"two\"]", "[[2]]", "[null]"}) {
        files.write("train.jsonl", std::string(R"({"question": "1+1", "answer": )") + answer + "}");
        EXPECT_THAT(refusal(files), HasSubstr("train.jsonl:1")) << answer;
    }
    // Only a field alone: a list within other text would have many readings.
    files.write("task.yaml", with(sums, "compare: numeric", "target: 'so {answer}'"));
    files.write("train.jsonl", R"({"question": "1+1", "answer": [2, 3]})");
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("train.jsonl:1"), HasSubstr("array")));
}

TEST(Task, SplitsMustNotShareQuestions) {
    TaskFiles files;
    write_sums(files).write("test.jsonl", R"({"id": "z", "question": "2+2", "answer": 4})");
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("test.jsonl:1"), HasSubstr("train.jsonl:3")));
    files.write("test.jsonl", R"({"id": "b", "question": "9+9", "answer": 18})");
    EXPECT_THAT(refusal(files), AllOf(HasSubstr("test.jsonl:1"), HasSubstr("\"b\"")));
    // Twice in one split is the author's business.
    files.write("test.jsonl",
                "{\"question\": \"9+9\", \"answer\": 18}\n{\"question\": \"9+9\", \"answer\": 18}");
    EXPECT_EQ(refusal(files), "");
}

// As of tasks that ask which of several sentences is the likelier one.
TEST(Task, WithoutPromptsTheChoicesAreTheQuestion) {
    TaskFiles files;
    files.write("task.yaml", R"(galapagos_task: 1
name: pairs
kind: multiple_choice
items: {train: train.jsonl, test: test.jsonl}
prompt: ""
multiple_choice: {choices: options, gold: label}
)");
    files.write("train.jsonl", R"({"options": ["a cat", "an cat"], "label": 0})");
    files.write("test.jsonl", R"({"options": ["a owl", "an owl"], "label": 1})");
    EXPECT_EQ(refusal(files), "");
    files.write("test.jsonl", R"({"options": ["a cat", "an cat"], "label": 0})");
    EXPECT_THAT(refusal(files), HasSubstr("two splits"));
}

TEST(Task, MistakesInTheTaskFileAreNamedByLine) {
    const auto refused = [](const std::string& from, const std::string& to) {
        TaskFiles files;
        write_sums(files).write("task.yaml", with(sums, from, to));
        return refusal(files);
    };
    EXPECT_THAT(refused("galapagos_task: 1", "galapagos_task: 2"), HasSubstr("task.yaml:1"));
    EXPECT_THAT(refused("name: sums", "name: my sums"), HasSubstr("task.yaml:2"));
    EXPECT_THAT(refused("kind: generate", "kind: generatte"),
                AllOf(HasSubstr("task.yaml:3"), HasSubstr("generate")));
    EXPECT_THAT(refused("train: train.jsonl", "trian: train.jsonl"), HasSubstr("train"));
    EXPECT_THAT(refused("train: train.jsonl", "train: missing.jsonl"), HasSubstr("missing.jsonl"));
    EXPECT_THAT(refused("{question}", "{question"), HasSubstr("task.yaml:5"));
    EXPECT_THAT(refused("max_new_tokens: 8", "max_new_tokens: 0"), HasSubstr("task.yaml:6"));
    EXPECT_THAT(refused("stop: [\"\\n\"]", "stop: [\"\"]"), HasSubstr("task.yaml:6"));
    EXPECT_THAT(refused("'(-?[\\d,]+)'", "'(-?[\\d,]+'"), HasSubstr("task.yaml:7"));
    EXPECT_THAT(refused("compare: numeric", "compare: number"), HasSubstr("numeric"));
    EXPECT_THAT(refused("compare: numeric", "group: 2"), HasSubstr("1 groups"));
    EXPECT_THAT(refused("compare: numeric", "group: all"), HasSubstr("task.yaml:7"));
    EXPECT_THAT(refused("compare: numeric", "remove: ['(']"), HasSubstr("task.yaml:7"));
    EXPECT_THAT(refused("compare: numeric", "remove: ['\\d+']"),
                AllOf(HasSubstr("train.jsonl:1"), HasSubstr("answer.remove")));
    EXPECT_THAT(refused("compare: numeric", "trim: no"), HasSubstr("none"));
    EXPECT_THAT(refused("compare: numeric", "compare: numeric, trim: none"),
                HasSubstr("means nothing"));
    EXPECT_THAT(refused("compare: numeric", "require_script: {scripts: [Hann], share: 0.5}"),
                HasSubstr("Hann"));
    EXPECT_THAT(refused("compare: numeric", "require_script: {scripts: [Han], share: 50}"),
                HasSubstr("share"));
    EXPECT_THAT(refused("answer: {", "anwser: {"), HasSubstr("answer"));
    EXPECT_THAT(refused("name: sums\n", ""), HasSubstr("name"));
}

TEST(Task, MultipleChoiceItems) {
    TaskFiles files;
    files.write("task.yaml", R"(galapagos_task: 1
name: choices
kind: multiple_choice
items: {test: test.jsonl}
prompt: "{q}"
multiple_choice: {choices: options, gold: label, metric: acc}
)");
    files.write("test.jsonl", R"({"q": "x", "options": ["a", "bb"], "label": 1}
{"q": "y", "options": ["a", 2], "label": "2"}
{"q": "z", "options": ["a", "b", "c"], "label": [0, "c"]})");
    const Task task = files.load();
    EXPECT_THAT(task.items(Split::test)[0].gold, ElementsAre(1U));
    EXPECT_THAT(task.items(Split::test)[1].gold, ElementsAre(1U));
    EXPECT_THAT(task.items(Split::test)[2].gold, ElementsAre(0U, 2U));
    for (const char* line :
         {R"({"q": "x", "options": ["a"], "label": 1})",
          R"({"q": "x", "options": ["a"], "label": "b"})",
          R"({"q": "x", "options": [], "label": 0})",
          R"({"q": "x", "options": ["a", ""], "label": 0})",
          R"({"q": "x", "options": ["a"], "label": []})", R"({"q": "x", "options": ["a"]})",
          R"({"q": "x", "label": 0})", R"({"q": "x", "options": ["a"], "label": -1})"}) {
        files.write("test.jsonl", line);
        EXPECT_THAT(refusal(files), HasSubstr("test.jsonl:1")) << line;
    }
}

TEST(Task, TheQuickstartTaskIsInOrder) {
    const char* root = std::getenv("GALAPAGOS_SOURCE_DIR");
    if (root == nullptr) {
        GTEST_SKIP() << "GALAPAGOS_SOURCE_DIR isn't set";
    }
    const Task task = Task::load(std::filesystem::path(root) / "jobs/quickstart/task.yaml");
    for (const Split split : all_splits) {
        EXPECT_GE(task.items(split).size(), 48U) << name_of(split);
    }
}

TaskFiles& write_rendered(TaskFiles& files, const std::string& items) {
    return files
        .write("task.yaml",
               "galapagos_task: 1\nname: chat\nkind: generate\nitems: {train: train.jsonl}\n"
               "prompt: '{prompt}'\ngenerate: {max_new_tokens: 2}\n")
        .write("train.jsonl", items);
}

TEST(ChatTemplate, RenderedPromptsMustComeFromTheModelsTemplate) {
    TaskFiles files;
    files.write("chat_template.jinja", "{{ messages }}\r\n");
    const std::string hash = sha256_hex("{{ messages }}\n");
    write_rendered(files,
                   R"({"prompt": "a", "answer": "b", "chat_template_sha256": ")" + hash + "\"}\n");
    const Task task = files.load();
    EXPECT_FALSE(task.add_special_tokens());
    const auto folder = (files / "task.yaml").parent_path();
    EXPECT_NO_THROW(check_chat_template(task.items(Split::train), folder));
    files.write("chat_template.jinja", "other");
    try {
        check_chat_template(task.items(Split::train), folder);
        FAIL() << "another template was accepted";
    } catch (const UsageError& error) {
        for (const std::string& part : {std::string("train.jsonl:1"), hash, sha256_hex("other"),
                                        std::string("render_chat.py")}) {
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
        }
    }
}

TEST(ChatTemplate, ItemsAreAllRenderedOrNone) {
    TaskFiles files;
    write_rendered(files, R"({"prompt": "a", "answer": "b", "chat_template_sha256": "00"}
{"prompt": "c", "answer": "d"})");
    EXPECT_THROW(files.load(), UsageError);
}

}  // namespace
}  // namespace galapagos
