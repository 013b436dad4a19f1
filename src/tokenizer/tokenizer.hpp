#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/decoder.hpp"

namespace galapagos {

/// Text to token ids and back, as tokenizer.json describes it and as the Hugging Face tokenizers
/// library does it.
///
/// BPE models are read, over bytes or over characters; a component that isn't known exactly is
/// refused by name when the file is loaded, because a tokenizer that is almost right gives scores
/// that are almost right. `truncation` and `padding` in the file are not applied, as transformers
/// doesn't apply them either unless asked to. Immutable, cheap to copy, safe to use from several
/// threads.
class Tokenizer {
  public:
    /// Reads `path`, a tokenizer.json or a model folder that holds one.
    /// Throws Error for a file that can't be read, is malformed, or asks for an unknown component.
    static Tokenizer load(const std::filesystem::path& path);

    /// Token ids of `text`, which must be UTF-8. Added tokens in the text (`<|im_end|>`) become
    /// their ids; `add_special_tokens` says whether the post-processor's tokens (BOS, EOS) are put
    /// around the whole.
    std::vector<std::int32_t> encode(std::string_view text, bool add_special_tokens) const;

    /// Text of `ids`, always valid UTF-8: broken sequences become U+FFFD. Ids without a token are
    /// left out.
    std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const;

    /// The token of `id` as decoding takes it: as the vocabulary writes it, or, for an added token
    /// that is looked for in normalized text, normalized. Nothing for an id without a token.
    std::optional<std::string_view> token_of(std::int32_t id) const;

    /// The decoder at the start of a text.
    TokenDecoder decoder() const;

    /// Whether decoding leaves `id` out when it skips special tokens: it is an added token marked
    /// special (BOS, EOS, turn markers).
    bool is_special(std::int32_t id) const;

    /// Number of distinct tokens, added tokens included. The model's embedding may have more rows.
    std::size_t vocabulary_size() const;

    /// Id of the token written as in tokenizer.json (`<|im_end|>`, `Ġthe`), if there is one.
    std::optional<std::int32_t> token_to_id(std::string_view token) const;

  private:
    struct Parts;
    explicit Tokenizer(std::shared_ptr<const Parts> parts);

    std::shared_ptr<const Parts> parts_;
};

}  // namespace galapagos
