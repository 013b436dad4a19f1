#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/metaspace.hpp"
#include "tokenizer/splitter.hpp"

namespace galapagos {

/// Pieces of one text between added tokens. Views point into the text, or into `rewritten` where a
/// step changed it.
struct Pieces {
    std::vector<std::string_view> views;
    std::deque<std::string> rewritten;
};

/// The `pre_tokenizer` of tokenizer.json: steps that each cut the pieces of the step before.
class PreTokenizer {
  public:
    /// One component. `add_prefix_space` puts a space before every incoming piece that doesn't
    /// begin with one.
    struct Step {
        bool add_prefix_space = false;
        std::optional<Metaspace> metaspace;        // at most one step has it
        std::shared_ptr<const Splitter> splitter;  // null: pieces stay whole
    };

    explicit PreTokenizer(std::vector<Step> steps);

    /// Whether `split` asks for `first_bytes`.
    bool needs_first_bytes() const;

    /// Cuts `text`, which is valid UTF-8 and not empty. Its first `first_bytes` bytes belong to the
    /// first character of the whole text; 0 if it begins later.
    Pieces split(std::string_view text, std::size_t first_bytes) const;

  private:
    std::vector<Step> steps_;
};

}  // namespace galapagos
