#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/splitter.hpp"

namespace galapagos {

/// The splitter of Llama 3 and its family:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
///      ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
///
/// Qwen2 takes one digit at a time. Written as a state machine, as Gpt2Splitter is.
class Llama3Splitter final : public Splitter {
  public:
    enum class Words : std::uint8_t { letters, letters_and_marks };

    /// `digits`: the most numbers in one piece. `words` says whether combining marks (\p{M}) belong
    /// to words, as in Qwen 3.5, or to the signs.
    explicit Llama3Splitter(std::size_t digits, Words words = Words::letters);

    void split(std::string_view text, std::vector<std::string_view>& pieces) const override;

  private:
    std::size_t piece_end(std::string_view text, std::size_t begin) const;

    std::size_t digits_;
    bool marks_in_words_;
};

}  // namespace galapagos
