#include "task/continuation.hpp"

#include <algorithm>
#include <cstddef>

#include "base/error.hpp"
#include "tokenizer/unicode.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

std::size_t stripped_size(std::string_view text) {
    std::size_t end = text.size();
    while (end > 0) {
        const CodePoint point = code_point_before(text, end);
        if (!is_python_space(point.value)) {
            break;
        }
        end -= point.size;
    }
    return end;
}

ScoreRequest without_context(std::string_view continuation, const Tokenizer& tokenizer,
                             const ContinuationOptions& options, const std::string& place) {
    if (!options.prefix_id) {
        throw UsageError(place + ": the prompt is empty",
                         "and the model has no begin-of-text or end-of-text token to put there",
                         "give the prompt some text");
    }
    ScoreRequest request{{*options.prefix_id}, tokenizer.encode(continuation, false)};
    if (!request.continuation.empty() && request.continuation.front() == *options.prefix_id) {
        request.continuation.erase(request.continuation.begin());
    }
    return request;
}

}  // namespace

ScoreRequest split_continuation(std::string_view context, std::string_view continuation,
                                const Tokenizer& tokenizer, const ContinuationOptions& options,
                                const std::string& place) {
    const std::size_t size = stripped_size(context);
    const std::string whole = std::string(context) + std::string(continuation);
    ScoreRequest request;
    request.context = tokenizer.encode(context.substr(0, size), options.add_special_tokens);
    if (request.context.empty()) {
        request = without_context(whole, tokenizer, options, place);
    } else {
        const auto ids = tokenizer.encode(whole, options.add_special_tokens);
        const std::size_t border = std::min(request.context.size(), ids.size());
        request.continuation.assign(ids.begin() + static_cast<std::ptrdiff_t>(border), ids.end());
    }
    if (request.continuation.empty()) {
        throw UsageError(place + ": the continuation has no token of its own",
                         "it melts into the last token of the prompt",
                         "separate the two, for instance by a space");
    }
    return request;
}

}  // namespace galapagos
