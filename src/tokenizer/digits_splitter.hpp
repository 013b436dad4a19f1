#pragma once

#include "tokenizer/splitter.hpp"

namespace galapagos {

/// The component Digits: sets numbers apart from the rest, one by one (`individual_digits`) or in
/// runs. A number is what Rust's char::is_numeric says, which includes letters such as Ⅳ and signs
/// such as ½.
class DigitsSplitter final : public Splitter {
  public:
    explicit DigitsSplitter(bool individual_digits);

    void split(std::string_view text, std::vector<std::string_view>& pieces) const override;

  private:
    bool individual_digits_;
};

}  // namespace galapagos
