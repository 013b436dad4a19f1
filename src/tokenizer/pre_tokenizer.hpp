#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/splitter.hpp"

namespace galapagos {

/// Pieces of one text between added tokens. Views point into the text, or into `prefixed` where a
/// space was put in front.
struct Pieces {
    std::vector<std::string_view> views;
    std::deque<std::string> prefixed;
};

/// The `pre_tokenizer` of tokenizer.json: steps that each cut the pieces of the step before.
class PreTokenizer {
  public:
    /// One component. `add_prefix_space` puts a space before every incoming piece that doesn't
    /// begin with one.
    struct Step {
        bool add_prefix_space = false;
        std::shared_ptr<const Splitter> splitter;  // null: pieces stay whole
    };

    explicit PreTokenizer(std::vector<Step> steps);

    /// Cuts `text`, which is valid UTF-8 and not empty.
    Pieces split(std::string_view text) const;

  private:
    std::vector<Step> steps_;
};

}  // namespace galapagos
