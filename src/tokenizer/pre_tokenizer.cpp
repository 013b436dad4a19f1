#include "tokenizer/pre_tokenizer.hpp"

#include <utility>

namespace galapagos {

PreTokenizer::PreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

Pieces PreTokenizer::split(std::string_view text) const {
    Pieces pieces;
    pieces.views.push_back(text);
    for (const Step& step : steps_) {
        const std::vector<std::string_view> incoming = std::exchange(pieces.views, {});
        for (std::string_view piece : incoming) {
            if (step.add_prefix_space && !piece.starts_with(' ')) {
                piece = pieces.prefixed.emplace_back(1, ' ').append(piece);
            }
            if (step.splitter) {
                step.splitter->split(piece, pieces.views);
            } else {
                pieces.views.push_back(piece);
            }
        }
    }
    return pieces;
}

}  // namespace galapagos
