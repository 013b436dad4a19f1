#pragma once

#include <cstdint>
#include <string>

#include "tokenizer/decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace galapagos {

/// Decodes ids one at a time, as a model generates them. A character whose bytes are spread over
/// several tokens is held back until it is whole, so that what was handed out never changes: all
/// pieces together with finish() are Tokenizer::decode of all ids.
class StreamDecoder {
  public:
    StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens);

    /// The text that `id` completes; may be empty.
    std::string push(std::int32_t id);

    /// What is still held back, broken characters as U+FFFD; the decoder can then be used for
    /// another text.
    std::string finish();

  private:
    Tokenizer tokenizer_;
    bool skip_special_tokens_;
    TokenDecoder decoder_;
};

}  // namespace galapagos
