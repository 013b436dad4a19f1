#include "tokenizer/decoder_steps.hpp"

#include <utility>

#include "tokenizer/normalizer.hpp"

namespace galapagos {

namespace {

class ReplaceDecoder final : public DecoderStep {
  public:
    explicit ReplaceDecoder(Normalizer::Replace replace) : replace_(std::move(replace)) {}

    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<ReplaceDecoder>(replace_);
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        out.push_back(replace_.apply(std::string(token)));
    }

  private:
    Normalizer::Replace replace_;
};

class StripDecoder final : public DecoderStep {
  public:
    StripDecoder(std::string content, std::size_t count, StripScope scope)
        : content_(std::move(content)), count_(count), scope_(scope), left_(count) {}

    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<StripDecoder>(content_, count_, scope_);
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        if (scope_ == StripScope::each_token) {
            left_ = count_;
        }
        while (left_ > 0 && token.starts_with(content_)) {
            token.remove_prefix(content_.size());
            --left_;
        }
        if (!token.empty()) {
            left_ = 0;
        }
        out.emplace_back(token);
    }

    void end(std::vector<std::string>&) override { left_ = count_; }

  private:
    std::string content_;
    std::size_t count_;
    StripScope scope_;
    std::size_t left_;  // how many may still be taken
};

class MetaspaceDecoder final : public DecoderStep {
  public:
    MetaspaceDecoder(std::string replacement, bool drops_in_first)
        : spaces_{replacement, " "},
          nothing_{replacement, ""},
          drops_in_first_(drops_in_first),
          first_(true) {}

    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<MetaspaceDecoder>(spaces_.pattern, drops_in_first_);
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        const bool drops = std::exchange(first_, false) && drops_in_first_;
        out.push_back((drops ? nothing_ : spaces_).apply(std::string(token)));
    }

    void end(std::vector<std::string>&) override { first_ = true; }

  private:
    Normalizer::Replace spaces_;
    Normalizer::Replace nothing_;
    bool drops_in_first_;
    bool first_;
};

class SpacesBetweenTokens final : public DecoderStep {
  public:
    std::unique_ptr<DecoderStep> fresh() const override {
        return std::make_unique<SpacesBetweenTokens>();
    }

    void take(std::string_view token, std::vector<std::string>& out) override {
        if (!std::exchange(first_, false)) {
            out.emplace_back(" ");
        }
        out.emplace_back(token);
    }

    void end(std::vector<std::string>&) override { first_ = true; }

  private:
    bool first_ = true;
};

}  // namespace

std::unique_ptr<DecoderStep> replace_decoder(std::string pattern, std::string content) {
    return std::make_unique<ReplaceDecoder>(
        Normalizer::Replace{std::move(pattern), std::move(content)});
}

std::unique_ptr<DecoderStep> strip_decoder(std::string content, std::size_t count,
                                           StripScope scope) {
    return std::make_unique<StripDecoder>(std::move(content), count, scope);
}

std::unique_ptr<DecoderStep> metaspace_decoder(std::string replacement, bool drops_in_first) {
    return std::make_unique<MetaspaceDecoder>(std::move(replacement), drops_in_first);
}

std::unique_ptr<DecoderStep> spaces_between_tokens() {
    return std::make_unique<SpacesBetweenTokens>();
}

}  // namespace galapagos
