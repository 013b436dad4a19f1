#include "tokenizer/stream_decoder.hpp"

#include <utility>

namespace galapagos {

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)),
      skip_special_tokens_(skip_special_tokens),
      decoder_(tokenizer_.decoder()) {}

std::string StreamDecoder::push(std::int32_t id) {
    std::string text;
    const auto token = tokenizer_.token_of(id);
    if (token && !(skip_special_tokens_ && tokenizer_.is_special(id))) {
        decoder_.take(*token, text);
    }
    return text;
}

std::string StreamDecoder::finish() {
    std::string text;
    decoder_.end(text);
    return text;
}

}  // namespace galapagos
