#include "tokenizer/decoder.hpp"

#include <cstddef>
#include <utility>

namespace galapagos {

TokenDecoder TokenDecoder::fresh() const {
    std::vector<std::unique_ptr<DecoderStep>> steps;
    steps.reserve(steps_.size());
    for (const auto& step : steps_) {
        steps.push_back(step->fresh());
    }
    return TokenDecoder(std::move(steps));
}

void TokenDecoder::take(std::string_view token, std::string& text) {
    run(0, {std::string(token)}, text);
}

void TokenDecoder::end(std::string& text) {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        std::vector<std::string> left;
        steps_[i]->end(left);
        run(i + 1, std::move(left), text);
    }
}

void TokenDecoder::run(std::size_t first_step, std::vector<std::string> tokens, std::string& text) {
    for (std::size_t i = first_step; i < steps_.size() && !tokens.empty(); ++i) {
        std::vector<std::string> next;
        for (const std::string& token : tokens) {
            steps_[i]->take(token, next);
        }
        tokens = std::move(next);
    }
    for (const std::string& token : tokens) {
        text += token;
    }
}

}  // namespace galapagos
