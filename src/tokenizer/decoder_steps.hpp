#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "tokenizer/decoder.hpp"

namespace galapagos {

/// ByteLevel: tokens are bytes in the byte alphabet; one that isn't stands for its own UTF-8.
/// Broken sequences become U+FFFD, and a character is kept back until it is whole.
std::unique_ptr<DecoderStep> byte_level_decoder();

/// ByteFallback: a run of tokens such as <0xE3> is one text if it is valid UTF-8 as a whole;
/// otherwise each of its tokens becomes U+FFFD. A run is kept back until it ends.
std::unique_ptr<DecoderStep> byte_fallback_decoder();

/// Replace: `pattern` (not empty) becomes `content` within each token.
std::unique_ptr<DecoderStep> replace_decoder(std::string pattern, std::string content);

/// Strip: takes up to `count` times `content`, one character, from the start of each token, or of
/// the whole text.
enum class StripScope { each_token, whole_text };
std::unique_ptr<DecoderStep> strip_decoder(std::string content, std::size_t count,
                                           StripScope scope);

/// Metaspace: `replacement`, one character, becomes a space; in the first token it is dropped if
/// `drops_in_first`.
std::unique_ptr<DecoderStep> metaspace_decoder(std::string replacement, bool drops_in_first);

/// No decoder at all: spaces between the tokens.
std::unique_ptr<DecoderStep> spaces_between_tokens();

}  // namespace galapagos
