#include "island/island_root.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace galapagos {

using nlohmann::json;

namespace {

json stage_json(const CandidateResult& result) {
    return {{"fitness", result.fitness},
            {"scores", result.scores},
            {"status", static_cast<int>(result.status)},
            {"reason", result.reason}};
}

}  // namespace

IslandRoot::IslandRoot(const ProcessLayout& layout, CandidateEvaluator& evaluator,
                       IslandSearch search, HistoryWriter history, CheckpointStore checkpoints,
                       StopWatch stop_watch, IslandRootSettings settings,
                       CoordinatorCallbacks callbacks, std::function<void(const std::string&)> log)
    : layout_(layout),
      evaluator_(evaluator),
      search_(std::move(search)),
      history_(std::move(history)),
      checkpoints_(std::move(checkpoints)),
      stop_watch_(std::move(stop_watch)),
      settings_(std::move(settings)),
      log_(std::move(log)),
      channel_(layout.island_roots),
      dispatcher_(layout),
      reported_best_(-std::numeric_limits<double>::infinity()) {
    if (channel_.is_coordinator()) coordinator_.emplace(channel_, std::move(callbacks));
}

RunOutcome IslandRoot::run() {
    note(search_.generation() > 0 ? "resume" : "start",
         fmt::format("generation {}, {} evaluators of {} ranks", search_.generation(),
                     layout_.evaluators, layout_.group.size()));
    // A neighbour may have lost what it had received: it drops what it knows.
    for (const auto& packet : search_.sent_packets())
        for (const int target : settings_.targets) channel_.send_packet(target, packet);
    report_best();
    while (phase_ != Phase::done && !(stopping_ && dispatcher_.idle())) step();

    if (stopping_) {
        save_checkpoint();  // once more, now with the results of the generation under way
        note("stop", outcome_.stopped.value_or("?"));
    }
    dispatcher_.quit();
    dismiss_group(layout_);
    channel_.close();
    while (layout_.island_members.pending_sends() > 0) ::usleep(200);
    history_.close();
    return outcome_;
}

void IslandRoot::step() {
    pump();
    auto candidate = stopping_ ? std::nullopt : dispatcher_.take_own();
    if (!candidate) {
        ::usleep(200);
        return;
    }
    abandoning_own_ = false;
    auto result =
        evaluate_with_group(layout_, evaluator_, *candidate, [this] { return keep_going(); });
    dispatcher_.own_done();
    if (result) accept(std::move(*result));
}

bool IslandRoot::keep_going() {
    pump();
    return !stopping_ && !abandoning_own_;
}

void IslandRoot::pump() {
    for (auto& result : dispatcher_.collect()) accept(std::move(result));
    while (auto packet = channel_.next_packet()) search_.put_packet(std::move(*packet));
    if (coordinator_) coordinator_->poll();
    while (const auto message = channel_.next_for_root()) handle(*message);
    if (stopping_) return;
    check_stop();
    if (phase_ == Phase::search) {
        while (auto generation = search_.finish_generation(unix_time())) commit(*generation);
        if (settings_.budget.wall_time > 0 && since_start_.seconds() > settings_.budget.wall_time &&
            !search_.finished()) {
            const auto packet = search_.end_now();
            for (const int target : settings_.targets) channel_.send_packet(target, packet);
        }
        if (search_.finished()) finish_search();
    }
    dispatcher_.hand_out([this] { return next_candidate(); });
}

std::optional<Candidate> IslandRoot::next_candidate() {
    if (phase_ == Phase::search) return search_.next();
    if (final_queue_.empty()) return std::nullopt;
    auto candidate = std::move(final_queue_.front());
    final_queue_.pop_front();
    return candidate;
}

void IslandRoot::accept(CandidateResult result) {
    const double seconds = result.merge_seconds + result.evaluation_seconds;
    longest_candidate_ = std::max(longest_candidate_, seconds);
    if (result.status == CandidateStatus::failed)
        note("failed", fmt::format("candidate {}: {}", candidate_name(result.id), result.reason));
    if (result.stage == Stage::train) {
        if (phase_ != Phase::search) return;
        busy_seconds_ += seconds;
        ++evaluated_;
        search_.put_result(std::move(result));
    } else if (result.stage == Stage::validation && phase_ == Phase::validation) {
        validated_[result.id] = std::move(result);
        if (validated_.size() == finalists_.size()) report_finalists();
    } else if (result.stage == Stage::test && phase_ == Phase::testing) {
        channel_.to_coordinator({{"kind", "tested"}, {"test", stage_json(result)}});
    }
}

void IslandRoot::commit(FinishedGeneration& generation) {
    history_.append(generation.record, generation.candidates, generation.migrations);
    save_checkpoint();
    if (generation.outgoing)
        for (const int target : settings_.targets)
            channel_.send_packet(target, *generation.outgoing);
    report_best();
    report(generation.record);
}

void IslandRoot::save_checkpoint() {
    history_.sync();
    std::string bytes;
    json::to_cbor(search_.save(), bytes);
    checkpoints_.save(search_.generation(), bytes);
}

void IslandRoot::report(const GenerationRecord& record) {
    const double seconds = since_start_.seconds();
    const double per_candidate = evaluated_ > 0 ? seconds / static_cast<double>(evaluated_) : 0;
    double left = std::numeric_limits<double>::infinity();
    const auto& budget = settings_.budget;
    const auto until = [&](double evaluations) {
        left = std::min(left, std::max(0.0, evaluations - static_cast<double>(record.evaluations)) *
                                  per_candidate);
    };
    if (budget.evaluations > 0) until(static_cast<double>(budget.evaluations));
    if (budget.generations > 0)
        until(static_cast<double>(budget.generations) * static_cast<double>(search_.population()));
    if (budget.wall_time > 0) left = std::min(left, std::max(0.0, budget.wall_time - seconds));
    log_(fmt::format(
        "generation {}: evaluations {}, best {:.4f}, mean {:.4f}, {:.2f} s a candidate",
        record.generation, record.evaluations, record.best, record.mean, per_candidate));
    channel_.to_coordinator({{"kind", "progress"},
                             {"island", layout_.island},
                             {"generation", search_.generation()},
                             {"evaluations", record.evaluations},
                             {"best", record.best},
                             {"mean", record.mean},
                             {"seconds", seconds},
                             {"seconds_per_candidate", per_candidate},
                             {"seconds_left", left}});
}

void IslandRoot::report_best() {
    const auto best = search_.best(1);
    if (best.empty() || best[0].fitness <= reported_best_) return;
    reported_best_ = best[0].fitness;
    channel_.to_coordinator({{"kind", "best"},
                             {"id", best[0].id},
                             {"fitness", best[0].fitness},
                             {"genome", best[0].genome}});
}

void IslandRoot::check_stop() {
    if (stop_reported_) return;
    if (const auto reason = stop_watch_.reason(longest_candidate_)) {
        stop_reported_ = true;
        channel_.to_coordinator({{"kind", "stop"}, {"reason", *reason}});
    }
}

void IslandRoot::finish_search() {
    phase_ = Phase::waiting;
    abandoning_own_ = true;  // what is evaluated now would be told to nobody
    dispatcher_.abandon();
    const double busy = busy_seconds_ / std::max(1e-9, since_start_.seconds() * layout_.evaluators);
    note("search ended",
         fmt::format("{} evaluations, best {:.4f}, evaluators busy {:.1f} % of {}",
                     search_.evaluations(),
                     search_.best(1).empty() ? std::nan("") : search_.best(1)[0].fitness,
                     100 * busy, format_duration(since_start_.seconds())));
    channel_.to_coordinator({{"kind", "finished"}, {"island", layout_.island}});
}

void IslandRoot::handle(const json& message) {
    const auto kind = message.at("kind").get<std::string>();
    if (kind == "stop") {
        stopping_ = true;
        outcome_.stopped = message.at("reason").get<std::string>();
        final_queue_.clear();
        dispatcher_.abandon();
    } else if (kind == "validate") {
        begin_validation();
    } else if (kind == "test") {
        phase_ = Phase::testing;
        const auto& winner = message.at("candidate");
        if (winner.at("island").get<int>() != layout_.island) return;
        Candidate candidate;
        candidate.id = winner.at("id").get<std::uint64_t>();
        candidate.genome = winner.at("genome").get<Genome>();
        candidate.stage = Stage::test;
        if (settings_.test)
            final_queue_.push_back(std::move(candidate));
        else
            channel_.to_coordinator({{"kind", "tested"}, {"test", nullptr}});
    } else if (kind == "done") {
        phase_ = Phase::done;
        outcome_.winner = message.at("winner");
    }
}

void IslandRoot::begin_validation() {
    phase_ = Phase::validation;
    finalists_ = search_.best(static_cast<std::size_t>(settings_.finalists));
    if (!settings_.validate || finalists_.empty()) return report_finalists();
    for (const auto& finalist : finalists_) {
        Candidate candidate;
        candidate.id = finalist.id;
        candidate.genome = finalist.genome;
        candidate.stage = Stage::validation;
        final_queue_.push_back(std::move(candidate));
    }
}

void IslandRoot::report_finalists() {
    phase_ = Phase::deciding;
    json list = json::array();
    for (const auto& finalist : finalists_) {
        const auto validated = validated_.find(finalist.id);
        json validation{{"fitness", finalist.fitness}};  // without validation items, train decides
        if (validated != validated_.end()) validation = stage_json(validated->second);
        list.push_back(
            {{"island", layout_.island},
             {"id", finalist.id},
             {"genome", finalist.genome},
             {"train", {{"fitness", finalist.fitness}, {"scores", search_.scores(finalist.id)}}},
             {"validation", validation}});
        log_(fmt::format("finalist {}: train {:.4f}, validation {:.4f}",
                         candidate_name(finalist.id), finalist.fitness,
                         validation.at("fitness").get<double>()));
    }
    channel_.to_coordinator(
        {{"kind", "validated"}, {"island", layout_.island}, {"finalists", list}});
}

void IslandRoot::note(const std::string& code, const std::string& text) {
    history_.event(code, text);
    log_(fmt::format("{}: {}", code, text));
}

}  // namespace galapagos
