#include "fuzz/fuzz_input.hpp"
#include "task/task.hpp"

using namespace galapagos;

namespace {

constexpr const char* tasks[] = {
    R"({galapagos_task: 1, name: a, kind: generate, items: {train: items.jsonl}, prompt: "Q {question}",
        generate: {max_new_tokens: 4}, answer: {pattern: '(-?\d+)', compare: numeric, target: "{answer}"}})",
    R"({galapagos_task: 1, name: d, kind: generate, items: {train: items.jsonl}, prompt: "{question}",
        generate: {max_new_tokens: 4}, answer: {trim: answer, remove: [',', '^\s*|\.$', '(?<=(.))\1'], ignore_case: true}})",
    R"({galapagos_task: 1, name: b, kind: multiple_choice, items: {file: items.jsonl, split_field: split},
        prompt: "{question}", multiple_choice: {choices: options, gold: label}})",
    R"({galapagos_task: 1, name: c, kind: perplexity, items: {train: items.jsonl},
        perplexity: {text: "{question}"}})"};

}  // namespace

/// The items of a task, read by four tasks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::scratch().write("items.jsonl", fuzz::text_of(data, size));
    for (const char* task : tasks) {
        const auto path = fuzz::scratch().write("task.yaml", task);
        fuzz::may_refuse([&] { Task::load(path); });
    }
    return 0;
}
