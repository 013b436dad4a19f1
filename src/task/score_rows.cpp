#include "task/score_rows.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace galapagos {

void ScoreRows::add(ScoreRequest request, std::size_t group) {
    positions_.push_back(requests_.size());
    groups_.push_back(group);
    requests_.push_back(std::move(request));
}

void ScoreRows::sort() {
    std::unordered_map<std::size_t, std::size_t> longest;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        std::size_t& length = longest[groups_[i]];
        length = std::max(length, requests_[i].context.size() + requests_[i].continuation.size());
    }
    const auto key = [&](std::size_t i) {
        return std::pair(longest.at(groups_[i]), positions_[i]);
    };
    std::vector<std::size_t> order(requests_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    ScoreRows sorted;
    for (const std::size_t i : order) {
        sorted.requests_.push_back(std::move(requests_[i]));
        sorted.groups_.push_back(groups_[i]);
        sorted.positions_.push_back(positions_[i]);
    }
    *this = std::move(sorted);
}

std::vector<Score> ScoreRows::run(LanguageModel& model,
                                  const std::function<bool()>& keep_going) const {
    const std::vector<Score> scores = model.score(requests_, keep_going);
    std::vector<Score> in_order(scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        in_order[positions_[i]] = scores[i];
    }
    return in_order;
}

std::int64_t ScoreRows::tokens() const {
    std::size_t tokens = 0;
    for (const ScoreRequest& request : requests_) {
        tokens += request.context.size() + request.continuation.size();
    }
    return static_cast<std::int64_t>(tokens);
}

}  // namespace galapagos
