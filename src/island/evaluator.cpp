#include "island/evaluator.hpp"

#include <unistd.h>

#include <deque>

#include "base/activity.hpp"

namespace galapagos {
namespace {

/// The orders of an evaluator root, with those that arrive while it works.
class OrderQueue {
  public:
    explicit OrderQueue(const ProcessLayout& layout) : layout_(layout) {}

    /// Waits for the next order.
    std::string next() {
        set_activity("idle", true);
        while (true) {
            receive_all();
            if (!orders_.empty()) {
                auto order = std::move(orders_.front());
                orders_.pop_front();
                return order;
            }
            ::usleep(200);
        }
    }

    /// False once the island root wants the present candidate dropped.
    bool keep_going() {
        note_step();
        receive_all();
        return !abandoned_;
    }
    void finished_one() { abandoned_ = false; }

    /// The candidate that `next` would give now.
    std::optional<Candidate> coming() const {
        if (orders_.empty() || orders_.front() == order_quit) return std::nullopt;
        return unpack_candidate(orders_.front());
    }

    void answer(std::string bytes) { layout_.members.send(std::move(bytes), 0, tag_answer); }

  private:
    void receive_all() {
        while (auto message = layout_.members.try_receive(tag_order)) {
            if (message->second == order_abandon) {
                for (std::size_t i = 0; i < orders_.size(); ++i) answer(answer_abandoned);
                orders_.clear();
                abandoned_ = true;
            } else {
                orders_.push_back(std::move(message->second));
            }
        }
    }

    const ProcessLayout& layout_;
    std::deque<std::string> orders_;
    bool abandoned_ = false;
};

void serve_as_group_member(const ProcessLayout& layout, CandidateEvaluator& evaluator) {
    while (true) {
        set_activity("idle", true);
        const auto order = layout.group.broadcast(std::string());
        if (order == order_quit) return;
        set_activity("evaluating a candidate");
        evaluator.evaluate(unpack_candidate(order), {});
    }
}

}  // namespace

void serve_island_root(const ProcessLayout& layout, CandidateEvaluator& evaluator) {
    if (!layout.is_evaluator_root()) return serve_as_group_member(layout, evaluator);
    OrderQueue queue(layout);
    while (true) {
        const auto order = queue.next();
        if (order == order_quit) break;
        queue.finished_one();  // an abandon that came while idle concerns nothing
        const auto result = evaluate_with_group(
            layout, evaluator, unpack_candidate(order),
            {[&] { return queue.keep_going(); }, [&] { return queue.coming(); }});
        queue.finished_one();
        queue.answer(result ? pack(*result) : std::string(answer_abandoned));
    }
    dismiss_group(layout);
    while (layout.members.pending_sends() > 0) ::usleep(200);
}

std::optional<CandidateResult> evaluate_with_group(const ProcessLayout& layout,
                                                   CandidateEvaluator& evaluator,
                                                   const Candidate& candidate,
                                                   const EvaluationHooks& hooks) {
    set_activity("evaluating a candidate");
    layout.group.broadcast(pack(candidate));
    auto result = evaluator.evaluate(candidate, hooks);
    if (result) result->evaluator = static_cast<std::uint32_t>(layout.evaluator);
    return result;
}

void dismiss_group(const ProcessLayout& layout) { layout.group.broadcast(std::string(order_quit)); }

}  // namespace galapagos
