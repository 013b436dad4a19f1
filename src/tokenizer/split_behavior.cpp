#include "tokenizer/split_behavior.hpp"

#include <cstddef>

namespace galapagos {

namespace {

// `first` and the text that follows it at once, as one view.
std::string_view joined(std::string_view first, std::string_view second) {
    return {first.data(), first.size() + second.size()};
}

void push_unless_empty(std::string_view piece, std::vector<std::string_view>& pieces) {
    if (!piece.empty()) {
        pieces.push_back(piece);
    }
}

}  // namespace

void join_stretches(const std::vector<Stretch>& stretches, SplitBehavior behavior,
                    std::vector<std::string_view>& pieces) {
    std::string_view pending;  // may still grow
    bool previous_matched = false;
    for (const Stretch& stretch : stretches) {
        bool joins = false;
        switch (behavior) {
            case SplitBehavior::removed:
                push_unless_empty(stretch.matched ? std::string_view() : stretch.text, pieces);
                continue;
            case SplitBehavior::isolated:
                push_unless_empty(stretch.text, pieces);
                continue;
            case SplitBehavior::merged_with_previous:
                joins = stretch.matched && !previous_matched;
                break;
            case SplitBehavior::merged_with_next:
                joins = !stretch.matched && previous_matched;
                break;
            case SplitBehavior::contiguous:
                joins = stretch.matched == previous_matched;
                break;
        }
        if (joins && !pending.empty()) {
            pending = joined(pending, stretch.text);
        } else {
            push_unless_empty(pending, pieces);
            pending = stretch.text;
        }
        previous_matched = stretch.matched;
    }
    push_unless_empty(pending, pieces);
}

}  // namespace galapagos
