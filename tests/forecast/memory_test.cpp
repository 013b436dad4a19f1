// Forecasts of memory and work against what the real objects allocate and are asked to do.
#include "forecast/memory.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "forecast/workload.hpp"
#include "merge/merger.hpp"
#include "model/threads.hpp"
#include "support/tiny_models.hpp"
#include "task/task_files.hpp"
#include "weights/arena.hpp"

namespace {
std::atomic<std::int64_t> aligned_bytes{0};
}

// The decoder's buffers are all allocated with an alignment; nothing else here is.
void* operator new(std::size_t size, std::align_val_t alignment) {
    aligned_bytes += static_cast<std::int64_t>(size);
    const auto step = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(step, (size + step - 1) / step * step)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace galapagos {
namespace {

test::TinyModelOptions model_options() {
    test::TinyModelOptions options;
    options.vocab = 300;
    options.heads = 6;
    options.kv_heads = 3;
    options.hidden = 48;
    options.tokenizer = true;
    return options;
}

/// Architectures that differ in what they need for a token: config.json of each.
std::vector<nlohmann::json> architectures() {
    const auto llama = test::tiny_config(model_options());
    std::vector<nlohmann::json> configs{llama};
    for (const char* type : {"phi3", "gemma2", "mixtral"}) {
        configs.push_back(llama);
        configs.back()["model_type"] = type;
    }
    configs.back()["num_local_experts"] = 5;
    configs.push_back({{"model_type", "gpt2"},
                       {"n_embd", 48},
                       {"n_head", 6},
                       {"n_layer", 2},
                       {"n_positions", 128},
                       {"vocab_size", 300}});
    configs.push_back({{"model_type", "gpt_neox"},
                       {"hidden_size", 48},
                       {"num_attention_heads", 3},
                       {"num_hidden_layers", 2},
                       {"intermediate_size", 80},
                       {"vocab_size", 300}});
    return configs;
}

TEST(Memory, IsWhatADecoderAllocates) {
    set_model_threads(1);
    for (const auto& config : architectures())
        for (const DType dtype : {DType::f32, DType::bf16}) {
            const auto architecture = Architecture::from_config(config, "config");
            const Sharding sharding(config, 1, 0);
            Arena arena(arena_specs(architecture, sharding, dtype));
            TensorGroup group;
            DecoderOptions options;
            options.dtype = dtype;
            options.max_batch = 5;
            options.max_tokens = 70;
            options.batch_tokens = 90;
            const auto before = aligned_bytes.load();
            const Decoder decoder(architecture, sharding, arena, group, options);
            const auto allocated = aligned_bytes.load() - before;
            const auto memory = decoder_memory(architecture, sharding, options, 1);
            const auto tables = static_cast<std::int64_t>(architecture.ropes.size());
            const auto rotary = tables * options.max_tokens * architecture.head_dim * 4;
            EXPECT_EQ(memory.kv_cache + memory.activations - rotary, allocated)
                << architecture.model_type;
            EXPECT_EQ(arena_bytes(architecture, sharding, dtype),
                      static_cast<std::int64_t>(arena.bytes()))
                << architecture.model_type;
        }
}

TEST(Memory, StatisticsStayWithinWhatIsForetold) {
    const test::TemporaryFolder folder;
    std::vector<std::shared_ptr<const Source>> sources;
    std::string models;
    std::vector<TensorSpec> tensors;
    for (const std::uint64_t seed : {1, 2, 3}) {
        const std::string name = fmt::format("m{}", seed);
        test::TinyModelOptions options;
        options.hidden = 64;
        options.seed = seed;
        options.dtype = DType::bf16;
        sources.push_back(
            Source::open({name, test::make_tiny_model(folder.path() / name, options), {}}));
        const auto own = test::tiny_tensors(options);
        tensors.insert(tensors.end(), own.begin(), own.end());
        if (seed > 1) models += fmt::format("{{model: {}, parameters: {{weight: 1}}}}, ", name);
    }
    for (const Method method :
         {Method::ties, Method::breadcrumbs, Method::dare_ties, Method::della}) {
        Merger merger(sources, Sharding(), 1);
        for (int percent = 2; percent < 99; percent += 3) {
            const Recipe recipe = parse_recipe_text(
                fmt::format(
                    "merge_method: {}\nbase_model: m1\nmodels: [{}]\n"
                    "parameters: {{density: {}, gamma: 0.01, epsilon: 0.01, rescale: true}}",
                    traits_of(method).name, models, percent / 100.0),
                "recipe");
            const MergePlan plan = make_plan(recipe, sources, index_sources(sources));
            std::vector<TensorSpec> specs;
            for (const TensorMerge& tensor : plan.tensors)
                specs.push_back({tensor.output_name, DType::bf16, tensor.shape});
            Arena arena(specs);
            merger.merge(plan, arena);
        }
        const auto used = static_cast<std::int64_t>(merger.statistics_bytes());
        const std::int64_t bound = statistics_bytes(tensors, {method});
        EXPECT_LE(used, bound) << traits_of(method).name;
        EXPECT_GE(20 * used, bound) << traits_of(method).name;
    }
}

class WorkloadTest : public ::testing::Test {
  protected:
    WorkloadTest() : path_(test::make_tiny_model(folder_ / "model", model_options())) {
        files_.write("items.jsonl",
                     R"({"id": 1, "q": "12345678", "options": ["abc", "d"], "gold": 0}
{"id": 2, "q": "1234", "options": ["a", "bcd"], "gold": 1}
{"id": 3, "q": "123456", "options": ["xy", "zw"], "gold": 0})");
        options_.max_batch = 2;
        options_.max_tokens = 64;
        options_.batch_tokens = 64;
    }
    std::vector<std::unique_ptr<const PreparedTask>> prepare_kind(const std::string& keys) {
        files_.write("task.yaml",
                     "galapagos_task: 1\nname: tiny\nitems: {train: items.jsonl}\n" + keys);
        PrepareOptions options;
        options.end_ids = {0, 256};
        options.prefix_id = 256;
        std::vector<std::unique_ptr<const PreparedTask>> tasks;
        tasks.push_back(prepare(files_.load(), Split::train, Tokenizer::load(path_), options));
        tasks.push_back(nullptr);
        return tasks;
    }

    test::TemporaryFolder folder_;
    std::filesystem::path path_;
    testing::TaskFiles files_;
    DecoderOptions options_;
};

TEST_F(WorkloadTest, GeneratedRowsRunToTheirLimit) {
    const auto tasks = prepare_kind(
        "kind: generate\nprompt: \"{q}\"\ngenerate: {max_new_tokens: 5}\nanswer: {target: "
        "\"{gold}\", compare: exact}\n");
    const auto work = count_workload(tasks, options_);
    // Prompts of 8, 4 and 6 bytes; the last new token of a row is never fed back.
    EXPECT_EQ(work.total().tokens, 18 + 3 * 4);
    EXPECT_EQ(work.total().queries, 3 * 5);
    // Two rows at a time: 8 and 6 first, then 4 alone.
    EXPECT_EQ(work.passes.size(), 2u * (1 + 4));
    EXPECT_EQ(work.passes.front().attention, 8 * 9 / 2 + 6 * 7 / 2);
    EXPECT_EQ(count_workload(tasks, options_, 2).total().tokens, 18 + 3 * 1);
}

TEST_F(WorkloadTest, ContinuationsShareTheirContext) {
    const auto tasks = prepare_kind(
        "kind: multiple_choice\nprompt: \"{q}\"\n"
        "multiple_choice: {choices: options, gold: gold, delimiter: \"\"}\n");
    const auto total = count_workload(tasks, options_).total();
    EXPECT_EQ(total.queries, 3 + 1 + 1 + 3 + 2 + 2);
    EXPECT_EQ(total.tokens, 18 + 2 + 0 + 0 + 2 + 1 + 1);
}

/// Elements of the matrices that a token is multiplied with, and of those among them that belong to
/// experts.
struct Matrices {
    double all = 0;
    double experts = 0;
};

Matrices count_matrices(const Architecture& a) {
    Matrices matrices;
    const std::string head = a.tied_embeddings ? a.layout->embedding : a.layout->head;
    for (const auto& tensor : model_tensors(a)) {
        const bool looked_up = (tensor.name == a.layout->embedding && tensor.name != head) ||
                               tensor.name == a.layout->positions;
        if (tensor.shape.size() != 2 || looked_up) continue;
        const auto elements = static_cast<double>(element_count(tensor.shape));
        matrices.all += elements;
        if (tensor.name.find(".experts.") != tensor.name.npos) matrices.experts += elements;
    }
    return matrices;
}

TEST(Workload, OperationsAreThoseOfTheMatrices) {
    for (const auto& config : architectures()) {
        const auto a = Architecture::from_config(config, "config");
        if (a.experts > 0) continue;
        const double matrices = count_matrices(a).all;
        PassWork pass{.tokens = 7, .wanted = 7, .queries = 7, .attention = 0, .cached = 0};
        EXPECT_DOUBLE_EQ(pass_flops(a, pass), 2.0 * 7 * matrices) << a.model_type;
        EXPECT_DOUBLE_EQ(pass_bytes(a, DType::bf16, pass), 2.0 * matrices) << a.model_type;
        // Two layers: the embedding and two sums a layer.
        EXPECT_DOUBLE_EQ(pass_collective_bytes(a, pass), 7.0 * (1 + 2 + 2) * 48 * 4 + 7 * 16);
    }
}

TEST(Workload, OfExpertsOnlyTheChosenWork) {
    auto config = test::tiny_config(model_options());
    config["model_type"] = "mixtral";
    config["num_local_experts"] = 5;
    config["num_experts_per_tok"] = 2;
    const auto a = Architecture::from_config(config, "config");
    const auto [all, experts] = count_matrices(a);
    PassWork pass{.tokens = 1, .wanted = 1, .queries = 1, .attention = 0, .cached = 0};
    const double two = all - experts + experts * 2 / 5;
    EXPECT_DOUBLE_EQ(pass_flops(a, pass), 2.0 * two);
    EXPECT_NEAR(pass_bytes(a, DType::bf16, pass), 2.0 * two, 1e-6);
    // Two tokens meet one expert in common with probability 2/5 for each choice.
    pass.tokens = pass.wanted = 2;
    EXPECT_DOUBLE_EQ(pass_flops(a, pass), 2.0 * 2 * two);
    EXPECT_NEAR(pass_bytes(a, DType::bf16, pass), 2.0 * (all - experts + experts * (1 - 0.6 * 0.6)),
                1e-6);
    // Many tokens read nearly all; one wanted token reads two experts of the last layer.
    pass.tokens = 500;
    pass.wanted = 1;
    EXPECT_NEAR(pass_bytes(a, DType::bf16, pass),
                2.0 * (all - experts + experts / 2 + experts / 2 * 2 / 5), 1e-3);
}

}  // namespace
}  // namespace galapagos
