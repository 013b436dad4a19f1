#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/requests.hpp"
#include "tokenizer/tokenizer.hpp"

namespace galapagos {

/// How a pair of texts is tokenised for a likelihood.
struct ContinuationOptions {
    bool add_special_tokens = true;
    std::optional<std::int32_t> prefix_id;  // context of a text that has none
};

/// Ids of `context` and `continuation` as lm-evaluation-harness makes them: white space at the end
/// of the context moves to the continuation; both are encoded as one text, and the continuation is
/// what follows as many ids as the context alone has, even where a token reaches across the border.
/// Without context the prefix id takes its place, or the continuation's first id if that is the
/// prefix id. Throws UsageError, beginning with `place`, if that leaves no context or no
/// continuation.
ScoreRequest split_continuation(std::string_view context, std::string_view continuation,
                                const Tokenizer& tokenizer, const ContinuationOptions& options,
                                const std::string& place);

}  // namespace galapagos
