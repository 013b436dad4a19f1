#pragma once

#include <memory>
#include <string>

#include "tokenizer/split_behavior.hpp"
#include "tokenizer/splitter.hpp"

namespace galapagos {

/// The component Split with a literal text as its pattern, such as Gemma's " ".
class LiteralSplitter final : public Splitter {
  public:
    /// `pattern` isn't empty. `invert` takes what lies between the matches for the matches.
    LiteralSplitter(std::string pattern, SplitBehavior behavior, bool invert);

    void split(std::string_view text, std::vector<std::string_view>& pieces) const override;

  private:
    std::string pattern_;
    SplitBehavior behavior_;
    bool invert_;
};

/// The component Split with a regular expression that matches all of any text: `matches` cuts the
/// text into its matches.
class CoveringSplitter final : public Splitter {
  public:
    CoveringSplitter(std::shared_ptr<const Splitter> matches, SplitBehavior behavior, bool invert);

    void split(std::string_view text, std::vector<std::string_view>& pieces) const override;

  private:
    std::shared_ptr<const Splitter> matches_;
    SplitBehavior behavior_;
    bool invert_;
};

}  // namespace galapagos
