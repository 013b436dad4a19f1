#include "task/stop_detector.hpp"

#include <algorithm>
#include <utility>

namespace galapagos {

namespace {

std::size_t longest_of(const std::vector<std::string>& texts) {
    std::size_t longest = 0;
    for (const std::string& text : texts) {
        longest = std::max(longest, text.size());
    }
    return longest;
}

}  // namespace

StopDetector::StopDetector(Tokenizer tokenizer, const std::vector<std::string>& stop)
    : decoder_(std::move(tokenizer), false), stop_(stop), longest_(longest_of(stop)) {}

bool StopDetector::advance(const std::vector<std::int32_t>& ids) {
    while (!stopped_ && seen_ < ids.size()) {
        tail_ += decoder_.push(ids[seen_++]);
        stopped_ = std::any_of(stop_.begin(), stop_.end(), [this](const std::string& stop) {
            return tail_.find(stop) != std::string::npos;
        });
        if (tail_.size() >= longest_) {
            tail_.erase(0, tail_.size() - (longest_ > 0 ? longest_ - 1 : 0));
        }
    }
    return stopped_;
}

std::string_view cut_at_stop(std::string_view text, const std::vector<std::string>& stop) {
    for (const std::string& string : stop) {
        text = text.substr(0, text.find(string));
    }
    return text;
}

}  // namespace galapagos
