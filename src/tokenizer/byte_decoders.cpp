#include <optional>
#include <utility>

#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/decoder_steps.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

class ByteLevelDecoder final : public DecoderStep {
  public:
    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<ByteLevelDecoder>();
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        if (const auto bytes = from_byte_alphabet(token)) {
            pending_ += *bytes;
        } else {
            pending_ += token;
        }
        const std::size_t ready = pending_.size() - incomplete_utf8_tail(pending_);
        out.push_back(replace_invalid_utf8(std::string_view(pending_).substr(0, ready)));
        pending_.erase(0, ready);
    }

    void end(std::vector<std::string>& out) override {
        out.push_back(replace_invalid_utf8(std::exchange(pending_, {})));
    }

  private:
    std::string pending_;
};

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') {
        return static_cast<unsigned>(lower - 'a' + 10);
    }
    return std::nullopt;
}

// The library's number parser takes a plus sign, too: <0x+5> is the byte 5.
std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') {
        return std::nullopt;
    }
    const auto high = token[3] == '+' ? std::optional(0U) : hex_digit(token[3]);
    const auto low = hex_digit(token[4]);
    if (!high || !low) {
        return std::nullopt;
    }
    return static_cast<char>(static_cast<unsigned char>(*high * 16 + *low));
}

class ByteFallbackDecoder final : public DecoderStep {
  public:
    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<ByteFallbackDecoder>();
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        if (const auto byte = byte_of(token)) {
            run_ += *byte;
        } else {
            end(out);
            out.emplace_back(token);
        }
    }

    void end(std::vector<std::string>& out) override {
        const std::string run = std::exchange(run_, {});
        if (run.empty()) {
            return;
        }
        if (find_invalid_utf8(run) == run.size()) {
            out.push_back(run);
        } else {
            out.insert(out.end(), run.size(), "\uFFFD");
        }
    }

  private:
    std::string run_;
};

}  // namespace

std::unique_ptr<DecoderStep> byte_level_decoder() { return std::make_unique<ByteLevelDecoder>(); }

std::unique_ptr<DecoderStep> byte_fallback_decoder() {
    return std::make_unique<ByteFallbackDecoder>();
}

}  // namespace galapagos
