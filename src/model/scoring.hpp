#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/decoder.hpp"
#include "model/forward_pass.hpp"

namespace galapagos {

/// One call of Decoder::score. Requests with the same context form a group that shares one cache
/// row: the context is run once, and each continuation then overwrites the one before it. Tokens
/// are packed without padding.
class Scoring {
  public:
    Scoring(ForwardPass& forward, TensorGroup& group, const DecoderOptions& options,
            const std::vector<ScoreRequest>& requests, const std::function<bool()>& keep_going);

    std::vector<Score> run();

  private:
    struct Group {
        size_t first, last;  ///< requests
    };
    struct Question {
        int64_t token;  ///< index in tokens_
        int32_t target;
        size_t request;
    };

    std::vector<Group> find_groups() const;
    void lay_out(const std::vector<Group>& groups, size_t first, size_t last);
    void add_context(const Group& group, int64_t cache_row);
    void add_continuation(size_t request, int64_t cache_row);
    bool run_block();
    void run_pass(int64_t first_token, int64_t last_token);

    ForwardPass& forward_;
    TensorGroup& tensor_group_;
    const DecoderOptions& options_;
    const std::vector<ScoreRequest>& requests_;
    const std::function<bool()>& keep_going_;
    std::vector<Score> scores_;
    // Of the current block of groups, in the order in which they run:
    std::vector<int32_t> tokens_;
    std::vector<Segment> segments_;
    std::vector<Question> questions_;
    // Of the current pass:
    std::vector<Segment> pass_segments_;
    std::vector<int32_t> wanted_;
    std::vector<HeadQuery> queries_;
    std::vector<HeadAnswer> answers_;
    size_t next_question_ = 0;
};

}  // namespace galapagos
