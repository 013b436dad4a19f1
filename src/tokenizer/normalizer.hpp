#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/unicode_normalization.hpp"

namespace galapagos {

/// The `normalizer` of tokenizer.json: steps that each change the text that the step before left.
class Normalizer {
  public:
    /// Every occurrence of `pattern`, which isn't empty, becomes `content`.
    struct Replace {
        std::string pattern;
        std::string content;

        std::string apply(std::string text) const;
    };
    /// Puts `content` in front of a text that isn't empty.
    struct Prepend {
        std::string content;
    };
    /// Takes white space away.
    struct Strip {
        bool left;
        bool right;
    };
    using Step = std::variant<NormalForm, Replace, Prepend, Strip>;

    Normalizer() = default;
    explicit Normalizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

    bool empty() const { return steps_.empty(); }

    /// `text`, which is valid UTF-8, after all steps.
    std::string apply(std::string_view text) const;

    /// Whether `bytes_from_first_character` can tell what it says for these steps.
    bool keeps_track_of_origin() const;

    /// How many of the bytes at the front of apply(text) come from the first character of `text`,
    /// or were put before it.
    std::size_t bytes_from_first_character(std::string_view text) const;

  private:
    std::vector<Step> steps_;
};

}  // namespace galapagos
