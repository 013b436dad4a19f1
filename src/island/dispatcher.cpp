#include "island/dispatcher.hpp"

#include <algorithm>
#include <numeric>

namespace galapagos {

constexpr int queue_depth = 2;

Dispatcher::Dispatcher(const ProcessLayout& layout)
    : layout_(layout),
      own_(static_cast<std::size_t>(layout.evaluator)),
      load_(static_cast<std::size_t>(layout.evaluators)) {}

std::vector<CandidateResult> Dispatcher::collect() {
    std::vector<CandidateResult> results;
    if (layout_.evaluators == 1) return results;
    while (auto message = layout_.members.try_receive(tag_answer)) {
        const int evaluator = message->first.source / layout_.group.size();
        --load_[static_cast<std::size_t>(evaluator)];
        if (message->second != answer_abandoned) results.push_back(unpack_result(message->second));
    }
    return results;
}

void Dispatcher::hand_out(const std::function<std::optional<Candidate>()>& next) {
    while (true) {
        const auto emptiest = std::min_element(load_.begin(), load_.end());
        if (*emptiest >= queue_depth) return;
        auto candidate = next();
        if (!candidate) return;
        ++*emptiest;
        const auto index = static_cast<std::size_t>(emptiest - load_.begin());
        if (index == own_)
            own_queue_.push_back(std::move(*candidate));
        else
            layout_.members.send(pack(*candidate), layout_.evaluator_root(static_cast<int>(index)),
                                 tag_order);
    }
}

std::optional<Candidate> Dispatcher::take_own() {
    auto candidate = next_own();
    if (candidate) own_queue_.pop_front();
    return candidate;
}

std::optional<Candidate> Dispatcher::next_own() const {
    if (own_queue_.empty()) return std::nullopt;
    return own_queue_.front();
}

void Dispatcher::abandon() {
    load_[own_] -= static_cast<int>(own_queue_.size());
    own_queue_.clear();
    for (std::size_t i = 0; i < load_.size(); ++i)
        if (i != own_)
            layout_.members.send(order_abandon, layout_.evaluator_root(static_cast<int>(i)),
                                 tag_order);
}

bool Dispatcher::idle() const { return std::accumulate(load_.begin(), load_.end(), 0) == 0; }

void Dispatcher::quit() {
    for (std::size_t i = 0; i < load_.size(); ++i)
        if (i != own_)
            layout_.members.send(order_quit, layout_.evaluator_root(static_cast<int>(i)),
                                 tag_order);
}

}  // namespace galapagos
