#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// A component of the `decoder` of tokenizer.json: turns tokens into tokens, one after the other.
/// It may keep tokens back until it has seen what follows them.
class DecoderStep {
  public:
    virtual ~DecoderStep() = default;

    /// The same component at the start of a text.
    virtual std::unique_ptr<DecoderStep> fresh() const = 0;

    /// Takes the next token; appends what is certain by now.
    virtual void take(std::string_view token, std::vector<std::string>& out) = 0;

    /// The text is over: appends what was kept back, and starts anew.
    virtual void end(std::vector<std::string>& out) { static_cast<void>(out); }
};

/// All components of a decoder. What `take` has handed out never changes: together with `end` it is
/// what the Hugging Face library makes of all tokens at once.
class TokenDecoder {
  public:
    explicit TokenDecoder(std::vector<std::unique_ptr<DecoderStep>> steps)
        : steps_(std::move(steps)) {}

    /// The same decoder at the start of a text.
    TokenDecoder fresh() const;

    /// Appends to `text` what `token`, written as in the vocabulary, adds to it.
    void take(std::string_view token, std::string& text);

    /// Appends what was kept back, and starts anew.
    void end(std::string& text);

  private:
    void run(std::size_t first_step, std::vector<std::string> tokens, std::string& text);

    std::vector<std::unique_ptr<DecoderStep>> steps_;
};

}  // namespace galapagos
