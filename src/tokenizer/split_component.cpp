#include "tokenizer/split_component.hpp"

#include <cstddef>
#include <utility>

namespace galapagos {

LiteralSplitter::LiteralSplitter(std::string pattern, SplitBehavior behavior, bool invert)
    : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

void LiteralSplitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    std::vector<Stretch> stretches;
    std::size_t done = 0;
    for (std::size_t found = text.find(pattern_); found != std::string_view::npos;
         found = text.find(pattern_, done)) {
        if (found > done) {
            stretches.push_back({text.substr(done, found - done), invert_});
        }
        stretches.push_back({text.substr(found, pattern_.size()), !invert_});
        done = found + pattern_.size();
    }
    if (done < text.size()) {
        stretches.push_back({text.substr(done), invert_});
    }
    join_stretches(stretches, behavior_, pieces);
}

CoveringSplitter::CoveringSplitter(std::shared_ptr<const Splitter> matches, SplitBehavior behavior,
                                   bool invert)
    : matches_(std::move(matches)), behavior_(behavior), invert_(invert) {}

void CoveringSplitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    if (behavior_ == SplitBehavior::isolated || (behavior_ == SplitBehavior::removed && invert_)) {
        matches_->split(text, pieces);
        return;
    }
    std::vector<std::string_view> matches;
    matches_->split(text, matches);
    std::vector<Stretch> stretches;
    stretches.reserve(matches.size());
    for (const std::string_view match : matches) {
        stretches.push_back({match, !invert_});
    }
    join_stretches(stretches, behavior_, pieces);
}

}  // namespace galapagos
