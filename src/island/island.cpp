#include "island/island.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/activity.hpp"

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

Island::Island(IslandParts parts, FinalSettings settings, RootChannel& channel)
    : search_(std::move(parts.search)),
      history_(std::move(parts.history)),
      checkpoints_(std::move(parts.checkpoints)),
      log_(std::move(parts.log)),
      settings_(settings),
      channel_(channel),
      reported_best_(-std::numeric_limits<double>::infinity()) {}

void Island::begin(const std::string& how) {
    note(search_.generation() > search_.first_generation() ? "resume" : "start",
         fmt::format("generation {}, {}", search_.generation(), how));
    // An island that joins a run is known to itself from now on.
    if (search_.first_generation() > 0 && search_.generation() == search_.first_generation())
        save_checkpoint();
    for (const auto& packet : search_.sent_packets()) send(packet);
    report_best();
}

std::optional<Candidate> Island::next_candidate() {
    if (phase_ == Phase::search) return search_.next();
    if (final_queue_.empty()) return std::nullopt;
    auto candidate = std::move(final_queue_.front());
    final_queue_.pop_front();
    return candidate;
}

void Island::accept(CandidateResult result) {
    if (result.status == CandidateStatus::failed)
        note("failed", fmt::format("candidate {}: {}", candidate_name(result.id), result.reason));
    if (result.stage == Stage::train) {
        if (phase_ != Phase::search) return;
        busy_seconds_ += result.merge_seconds + result.evaluation_seconds;
        ++evaluated_;
        search_.put_result(std::move(result));
    } else if (result.stage == Stage::validation && phase_ == Phase::validation) {
        validated_[result.id] = std::move(result);
        if (validated_.size() == finalists_.size()) report_finalists();
    } else if (result.stage == Stage::test && phase_ == Phase::testing) {
        channel_.to_coordinator({{"kind", "tested"}, {"test", stage_json(result)}});
    }
}

void Island::advance() {
    if (phase_ != Phase::search) return;
    while (auto generation = search_.finish_generation(unix_time())) commit(*generation);
    const double wall_time = search_.settings().budget.wall_time;
    if (wall_time > 0 && since_start_.seconds() > wall_time && !search_.finished())
        send(search_.end_now());
    if (search_.finished()) finish_search();
}

void Island::commit(FinishedGeneration& generation) {
    const char* before = current_activity().what;
    set_activity("writing the history");
    history_.append(generation.record, generation.candidates, generation.migrations);
    save_checkpoint();
    set_activity(before);
    if (generation.outgoing) send(*generation.outgoing);
    report_best();
    report(generation.record);
}

void Island::send(const MigrantPacket& packet) {
    for (const int target : search_.settings().targets) channel_.send_packet(target, packet);
}

void Island::save_checkpoint() {
    history_.sync();
    std::string bytes;
    json::to_cbor(search_.save(), bytes);
    checkpoints_.save(search_.generation(), bytes);
}

void Island::report(const GenerationRecord& record) {
    const double seconds = since_start_.seconds();
    const double per_candidate = evaluated_ > 0 ? seconds / static_cast<double>(evaluated_) : 0;
    double left = std::numeric_limits<double>::infinity();
    const auto& budget = search_.settings().budget;
    const auto done = static_cast<double>(search_.generation() * search_.population());
    const auto until = [&](double candidates) {
        left = std::min(left, std::max(0.0, candidates - done) * per_candidate);
    };
    if (budget.evaluations > 0) until(static_cast<double>(budget.evaluations));
    if (budget.generations > 0)
        until(static_cast<double>(budget.generations) * static_cast<double>(search_.population()));
    if (budget.wall_time > 0) left = std::min(left, std::max(0.0, budget.wall_time - seconds));
    log_(fmt::format(
        "generation {}: evaluations {}, best {:.4f}, mean {:.4f}, {:.2f} s a candidate",
        record.generation, record.evaluations, record.best, record.mean, per_candidate));
    channel_.to_coordinator({{"kind", "progress"},
                             {"island", number()},
                             {"generation", search_.generation()},
                             {"evaluations", record.evaluations},
                             {"best", record.best},
                             {"mean", record.mean},
                             {"seconds", seconds},
                             {"seconds_per_candidate", per_candidate},
                             {"seconds_left", left}});
}

void Island::report_best() {
    const auto best = search_.best(1);
    if (best.empty() || best[0].fitness <= reported_best_) return;
    reported_best_ = best[0].fitness;
    channel_.to_coordinator({{"kind", "best"},
                             {"id", best[0].id},
                             {"fitness", best[0].fitness},
                             {"genome", best[0].genome}});
}

void Island::finish_search() {
    phase_ = Phase::waiting;
    const auto best = search_.best(1);
    note("search ended",
         fmt::format("{} evaluations, best {:.4f}, {} in evaluations, {} in all",
                     search_.evaluations(), best.empty() ? std::nan("") : best[0].fitness,
                     format_duration(busy_seconds_), format_duration(since_start_.seconds())));
    channel_.to_coordinator({{"kind", "finished"}, {"island", number()}});
}

void Island::handle(const json& message) {
    const auto kind = message.at("kind").get<std::string>();
    if (kind == "validate") {
        begin_validation();
    } else if (kind == "test") {
        phase_ = Phase::testing;
        const auto& winner = message.at("candidate");
        if (winner.at("island").get<int>() != number()) return;
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
        winner_ = message.at("winner");
    }
}

void Island::begin_validation() {
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

void Island::report_finalists() {
    phase_ = Phase::deciding;
    json list = json::array();
    for (const auto& finalist : finalists_) {
        const auto validated = validated_.find(finalist.id);
        json validation;  // null without validation items
        if (validated != validated_.end()) validation = stage_json(validated->second);
        list.push_back(
            {{"island", number()},
             {"id", finalist.id},
             {"genome", finalist.genome},
             {"train", {{"fitness", finalist.fitness}, {"scores", search_.scores(finalist.id)}}},
             {"validation", validation}});
        log_(fmt::format("finalist {}: train {:.4f}, validation {}", candidate_name(finalist.id),
                         finalist.fitness,
                         validation.is_null()
                             ? "-"
                             : fmt::format("{:.4f}", validation.at("fitness").get<double>())));
    }
    channel_.to_coordinator({{"kind", "validated"}, {"island", number()}, {"finalists", list}});
}

void Island::interrupt(const std::string& reason) {
    save_checkpoint();
    note("stop", reason);
}

void Island::note(const std::string& code, const std::string& text) {
    history_.event(code, text);
    log_(fmt::format("{}: {}", code, text));
}

}  // namespace galapagos
