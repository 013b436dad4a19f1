#include "tokenizer/stream_decoder.hpp"

#include <cstddef>
#include <utility>

#include "tokenizer/utf8.hpp"

namespace galapagos {

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_tokens_(skip_special_tokens) {}

std::string StreamDecoder::push(std::int32_t id) {
    if (skip_special_tokens_ && tokenizer_.is_special(id)) {
        return {};
    }
    pending_ += tokenizer_.bytes_of(id);
    const std::size_t held_back = incomplete_utf8_tail(pending_);
    const std::size_t ready = pending_.size() - held_back;
    std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, ready));
    pending_.erase(0, ready);
    return text;
}

std::string StreamDecoder::finish() { return replace_invalid_utf8(std::exchange(pending_, {})); }

}  // namespace galapagos
