#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/decoder.hpp"
#include "model/forward_pass.hpp"

namespace galapagos {

/// One call of Decoder::generate. Prompts enter cache rows longest first; rows are decoded
/// together, leave as they finish, and are refilled from the waiting prompts.
class GreedyGeneration {
  public:
    GreedyGeneration(ForwardPass& forward, TensorGroup& group, const DecoderOptions& options,
                     const std::vector<GenerationRequest>& requests, const GenerationHooks& hooks);

    std::vector<Generation> run();

  private:
    struct Row {
        size_t request;
        int64_t cache_row;
        int64_t length;  ///< tokens in the cache
        int32_t last;    ///< newest id, not yet in the cache
    };

    bool should_admit();
    void admit();
    void feed_long_prompt(const Row& row, int64_t& fed);
    void decode();
    void run_pass(size_t first_row);
    void judge(size_t first_row);
    int32_t verdict(const Row& row, int32_t id);

    ForwardPass& forward_;
    TensorGroup& group_;
    const DecoderOptions& options_;
    const std::vector<GenerationRequest>& requests_;
    const GenerationHooks& hooks_;

    std::vector<Generation> results_;
    std::vector<size_t> waiting_;  ///< request indices, next one last
    std::vector<int64_t> free_rows_;
    std::vector<Row> rows_;  ///< being decoded
    bool admitting_ = false;
    // Of the current pass:
    std::vector<int32_t> tokens_;
    std::vector<Segment> segments_;
    std::vector<int32_t> wanted_;
    std::vector<HeadQuery> queries_;
    std::vector<HeadAnswer> answers_;
    std::vector<int32_t> verdicts_;
};

}  // namespace galapagos
