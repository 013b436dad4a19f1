#include "model/generation.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace galapagos {
namespace {

/// Notes how many tokens each pass has for how many rows; every row goes on with the same id.
class NotingPass final : public ForwardPass {
  public:
    struct Noted {
        size_t rows, tokens;
        bool operator==(const Noted&) const = default;
    };
    std::vector<Noted> passes;

    void set_route(const LayerRoute&) override {}
    void run(std::span<const int32_t> tokens, std::span<const Segment> segments,
             std::span<const int32_t>) override {
        passes.push_back({segments.size(), tokens.size()});
    }
    void answer(std::span<const HeadQuery>, std::span<HeadAnswer> answers) override {
        std::fill(answers.begin(), answers.end(), HeadAnswer{5, 0});
    }
    void logits(float*) override {}
};

GenerationRequest request(size_t given, int fresh) {
    return {std::vector<int32_t>(given, 1), fresh, {}};
}

std::vector<NotingPass::Noted> passes_of(const std::vector<GenerationRequest>& requests,
                                         int max_batch, int64_t batch_tokens) {
    DecoderOptions options;
    options.max_batch = max_batch;
    options.batch_tokens = batch_tokens;
    TensorGroup alone;
    NotingPass pass;
    const auto results = GreedyGeneration(pass, alone, options, requests, {}).run();
    for (size_t i = 0; i < requests.size(); ++i)
        EXPECT_EQ(results[i].ids.size(), static_cast<size_t>(requests[i].max_new_tokens)) << i;
    return pass.passes;
}

TEST(Generation, PromptsOfSeveralPassesFillAllRowsBeforeTheyAreDecoded) {
    // Three prompts a pass: after two passes less than a quarter of the eight rows is free, but two
    // prompts still wait.
    const std::vector<GenerationRequest> requests(8, request(4, 3));
    EXPECT_EQ(passes_of(requests, 8, 12),
              (std::vector<NotingPass::Noted>{{3, 12}, {3, 12}, {2, 8}, {8, 8}, {8, 8}}));
}

TEST(Generation, TheLastRowsAreFilledToo) {
    // With others waiting behind them: one row is left after the first three passes.
    std::vector<GenerationRequest> requests(16, request(4, 3));
    const auto passes = passes_of(requests, 10, 12);
    const std::vector<NotingPass::Noted> first(passes.begin(), passes.begin() + 5);
    EXPECT_EQ(first, (std::vector<NotingPass::Noted>{{3, 12}, {3, 12}, {3, 12}, {1, 4}, {10, 10}}));
}

TEST(Generation, AFewPromptsDoNotWaitForAQuarterOfTheRows) {
    // Eight rows, of which one ends early: the ninth prompt takes its place at once.
    std::vector<GenerationRequest> requests(9, request(4, 6));
    requests[0].max_new_tokens = 2;
    const auto passes = passes_of(requests, 8, 64);
    EXPECT_EQ(passes[0], (NotingPass::Noted{8, 32}));
    EXPECT_EQ(passes[1], (NotingPass::Noted{8, 8}));
    EXPECT_EQ(passes[2], (NotingPass::Noted{1, 4}));
}

TEST(Generation, ManyPromptsWaitForAQuarterOfTheRows) {
    std::vector<GenerationRequest> requests(12, request(4, 6));
    requests[0].max_new_tokens = 2;
    requests[1].max_new_tokens = 3;
    const auto passes = passes_of(requests, 8, 64);
    // One row is free after the second pass, a second one after the third.
    const std::vector<NotingPass::Noted> first(passes.begin(), passes.begin() + 4);
    EXPECT_EQ(first, (std::vector<NotingPass::Noted>{{8, 32}, {8, 8}, {7, 7}, {2, 8}}));
}

}  // namespace
}  // namespace galapagos
