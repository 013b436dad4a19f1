#pragma once

#include "tokenizer/splitter.hpp"

namespace galapagos {

/// The splitter of GPT-2, which the component ByteLevel applies when `use_regex` is set:
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Written as a state machine over Unicode tables, because regex engines disagree on \s and on
/// which characters are letters.
class Gpt2Splitter final : public Splitter {
  public:
    void split(std::string_view text, std::vector<std::string_view>& pieces) const override;
};

}  // namespace galapagos
