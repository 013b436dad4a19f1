#include "island/island_root.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/activity.hpp"
#include "base/error.hpp"

namespace galapagos {

IslandRoot::IslandRoot(const ProcessLayout& layout, CandidateEvaluator& evaluator,
                       std::vector<IslandParts> islands, StopWatch stop_watch,
                       FinalSettings settings, CoordinatorCallbacks callbacks)
    : layout_(layout),
      evaluator_(evaluator),
      stop_watch_(std::move(stop_watch)),
      channel_(layout),
      dispatcher_(layout) {
    if (channel_.is_coordinator())
        coordinator_.emplace(channel_, layout.islands, std::move(callbacks));
    for (auto& parts : islands) islands_.emplace_back(std::move(parts), settings, channel_);
}

RunOutcome IslandRoot::run() {
    const auto where =
        fmt::format("{} evaluators of {} ranks{}", layout_.evaluators, layout_.group.size(),
                    islands_.size() > 1 ? ", shared with other islands" : "");
    for (auto& island : islands_) island.begin(where);
    while (!all_done() && !(stopped_ && dispatcher_.idle())) step();

    if (stopped_)
        for (auto& island : islands_) island.interrupt(*stopped_);
    dispatcher_.quit();
    dismiss_group(layout_);
    channel_.close();
    while (layout_.members.pending_sends() > 0) ::usleep(200);
    for (auto& island : islands_) island.close();
    return {stopped_, islands_.front().winner()};
}

bool IslandRoot::all_done() const {
    return std::all_of(islands_.begin(), islands_.end(), [](const Island& i) { return i.done(); });
}

Island& IslandRoot::island(int number) {
    for (auto& island : islands_)
        if (island.number() == number) return island;
    throw Error(fmt::format("a message for island {} came to a host without it", number),
                "the processes disagree on who carries which island");
}

void IslandRoot::step() {
    pump();
    auto candidate = stopped_ ? std::nullopt : dispatcher_.take_own();
    if (!candidate) {
        ::usleep(200);
        return;
    }
    abandoning_own_ = false;
    auto result = evaluate_with_group(
        layout_, evaluator_, *candidate,
        {[this] { return keep_going(); }, [this] { return dispatcher_.next_own(); }});
    set_activity("leading its islands");
    dispatcher_.own_done();
    if (result) accept(std::move(*result));
}

bool IslandRoot::keep_going() {
    pump();
    return !stopped_ && !abandoning_own_;
}

void IslandRoot::pump() {
    note_step();
    for (auto& result : dispatcher_.collect()) accept(std::move(result));
    while (auto delivery = channel_.next_packet())
        island(delivery->island).put_packet(std::move(delivery->packet));
    if (coordinator_) coordinator_->poll();
    while (const auto message = channel_.next_for_root()) handle(*message);
    if (stopped_) return;
    check_stop();
    for (auto& island : islands_) island.advance();
    const bool searching = std::any_of(islands_.begin(), islands_.end(),
                                       [](const Island& i) { return i.searching(); });
    if (searching_ && !searching) {
        abandoning_own_ = true;  // what is evaluated now would be told to nobody
        dispatcher_.abandon();
    }
    searching_ = searching;
    dispatcher_.hand_out([this] { return next_candidate(); });
}

std::optional<Candidate> IslandRoot::next_candidate() {
    // In turn, so that islands of one host go forward together.
    for (std::size_t tries = 0; tries < islands_.size(); ++tries) {
        auto& island = islands_[turn_];
        turn_ = (turn_ + 1) % islands_.size();
        if (auto candidate = island.next_candidate()) return candidate;
    }
    return std::nullopt;
}

void IslandRoot::accept(CandidateResult result) {
    longest_candidate_ =
        std::max(longest_candidate_, result.merge_seconds + result.evaluation_seconds);
    island(static_cast<int>(island_of(result.id))).accept(std::move(result));
}

void IslandRoot::check_stop() {
    if (stop_reported_) return;
    if (const auto reason = stop_watch_.reason(longest_candidate_)) {
        stop_reported_ = true;
        channel_.to_coordinator({{"kind", "stop"}, {"reason", *reason}});
    }
}

void IslandRoot::handle(const nlohmann::json& message) {
    if (message.at("kind") == "stop") {
        stopped_ = message.at("reason").get<std::string>();
        for (auto& island : islands_) island.drop_finalists();
        dispatcher_.abandon();
        return;
    }
    for (auto& island : islands_) island.handle(message);
}

}  // namespace galapagos
