#include "tokenizer/pre_tokenizer.hpp"

#include <algorithm>
#include <utility>

namespace galapagos {

PreTokenizer::PreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

bool PreTokenizer::needs_first_bytes() const {
    return std::any_of(steps_.begin(), steps_.end(), [](const Step& step) {
        return step.metaspace && step.metaspace->prepend == Metaspace::Prepend::first;
    });
}

Pieces PreTokenizer::split(std::string_view text, std::size_t first_bytes) const {
    Pieces pieces;
    pieces.views.push_back(text);
    for (const Step& step : steps_) {
        const std::vector<std::string_view> incoming = std::exchange(pieces.views, {});
        pieces.views.reserve(incoming.size() + text.size() / 4);
        for (std::string_view piece : incoming) {
            if (step.add_prefix_space && !piece.starts_with(' ')) {
                piece = pieces.rewritten.emplace_back(1, ' ').append(piece);
            }
            if (step.metaspace) {
                // Steps before this one only cut, so that the piece still lies in the text.
                const auto offset = static_cast<std::size_t>(piece.data() - text.data());
                piece = pieces.rewritten.emplace_back(
                    step.metaspace->rewrite(piece, offset < first_bytes));
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
