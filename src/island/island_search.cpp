#include "island/island_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace galapagos {

using nlohmann::json;

namespace {

constexpr double worst = -std::numeric_limits<double>::infinity();

/// Diversity as optimisers report it among their diagnostics; NaN when one doesn't.
double diversity_of(const Optimizer& optimizer) {
    for (const auto& [name, value] : optimizer.diagnostics())
        if (name == "diversity") return value;
    return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

IslandSearch::IslandSearch(IslandSearchSettings settings, std::unique_ptr<Optimizer> optimizer)
    : settings_(std::move(settings)),
      optimizer_(std::move(optimizer)),
      mailbox_(settings_.migration, settings_.sources, settings_.first_generations),
      window_(settings_.window >= 0 ? static_cast<std::uint64_t>(settings_.window)
                                    : population() / 2),
      first_(first_generation_of(settings_.first_generations, settings_.island)),
      asked_(first_ * population()),
      told_(first_),
      best_fitness_(worst) {}

std::uint64_t IslandSearch::ask_limit() const {
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
    // Whole generations only: an optimiser learns from complete ones.
    if (settings_.budget.evaluations > 0)
        limit = (static_cast<std::uint64_t>(settings_.budget.evaluations) + population() - 1) /
                population() * population();
    if (settings_.budget.generations > 0)
        limit = std::min(limit,
                         static_cast<std::uint64_t>(settings_.budget.generations) * population());
    return limit;
}

std::uint64_t IslandSearch::tell_needs() const { return (told_ + 1) * population() + window_; }

void IslandSearch::draw_due() {
    // Candidates past the budget are drawn as well, though nobody evaluates them: a run whose
    // budget is extended later then goes on as if it had had the larger one from the beginning.
    if (settings_.mode == Mode::deterministic)
        while (asked_ < tell_needs()) draw();
}

void IslandSearch::draw() {
    auto individual = optimizer_->ask();
    Pending pending;
    pending.candidate = {candidate_id(static_cast<std::uint32_t>(settings_.island), asked_),
                         std::move(individual.genome), individual.origin,
                         std::move(individual.parents), Stage::train};
    ++asked_;
    const auto [entry, fresh] =
        first_with_genome_.try_emplace(pending.candidate.genome, pending.candidate.id);
    if (!fresh) pending.same_as = entry->second;
    pending_.push_back(std::move(pending));
}

std::optional<Candidate> IslandSearch::next() {
    if (finished_) return std::nullopt;
    draw_due();
    const auto limit = ask_limit();
    const auto waiting = [limit](const Pending& p) {
        return !p.same_as && !p.given_out && !p.result && counter_of(p.candidate.id) < limit;
    };
    auto found = std::find_if(pending_.begin(), pending_.end(), waiting);
    // Asynchronous: draw for whoever asks, but keep the optimiser within a few generations of its
    // results.
    while (found == pending_.end() && settings_.mode == Mode::asynchronous && asked_ < limit &&
           asked_ < (told_ + 3) * population()) {
        draw();
        found = std::find_if(pending_.begin(), pending_.end(), waiting);
    }
    if (found == pending_.end()) return std::nullopt;
    found->given_out = true;
    return found->candidate;
}

void IslandSearch::put_result(CandidateResult result) {
    for (auto& pending : pending_)
        if (pending.candidate.id == result.id && !pending.result)
            pending.result = std::move(result);
}

std::size_t IslandSearch::outstanding() const {
    return static_cast<std::size_t>(
        std::count_if(pending_.begin(), pending_.end(),
                      [](const Pending& p) { return p.given_out && !p.result; }));
}

void IslandSearch::settle_duplicates() {
    for (auto& pending : pending_) {
        if (!pending.same_as || pending.result) continue;
        CandidateResult copy;
        if (const auto known = known_.find(*pending.same_as); known != known_.end()) {
            copy.scores = known->second.scores;
            copy.fitness = known->second.fitness;
        } else {
            const auto original =
                std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) {
                    return p.candidate.id == *pending.same_as && p.result.has_value();
                });
            if (original == pending_.end()) continue;
            copy.scores = original->result->scores;
            copy.fitness = original->result->fitness;
        }
        copy.id = pending.candidate.id;
        copy.status = CandidateStatus::reused;
        copy.reason = "same genome as " + candidate_name(*pending.same_as);
        pending.result = std::move(copy);
    }
}

bool IslandSearch::generation_ready() const {
    const std::size_t size = population();
    if (pending_.size() < size) return false;
    for (std::size_t i = 0; i < size; ++i)
        if (!pending_[i].result) return false;
    return settings_.mode == Mode::asynchronous ||
           (asked_ == tell_needs() && mailbox_.complete_for(told_));
}

CandidateRecord IslandSearch::record_of(const Pending& pending) const {
    const auto& c = pending.candidate;
    const auto& r = *pending.result;
    CandidateRecord record;
    record.id = c.id;
    record.generation = told_;
    for (std::size_t i = 0; i < std::min<std::size_t>(2, c.parents.size()); ++i)
        record.parents[i] = c.parents[i];
    record.origin = c.origin;
    record.status = r.status;
    record.fitness = r.fitness;
    record.merge_seconds = r.merge_seconds;
    record.evaluation_seconds = r.evaluation_seconds;
    record.tokens = r.tokens;
    record.evaluator = r.evaluator;
    record.reason = r.reason;
    record.genome = c.genome;
    record.scores = r.scores;
    record.scores.resize(settings_.tasks, std::numeric_limits<double>::quiet_NaN());
    record.answers = r.answers;
    record.answers.resize(settings_.tasks);
    return record;
}

void IslandSearch::remember(std::uint64_t id, const Genome& genome,
                            const std::vector<double>& scores, double fitness,
                            CandidateStatus status) {
    const bool failed = status == CandidateStatus::failed || !std::isfinite(fitness);
    if (status != CandidateStatus::reused) known_[id] = {id, scores, fitness, failed};
    first_with_genome_.try_emplace(genome, id);
    if (fitness > best_fitness_) {
        best_fitness_ = fitness;
        best_id_ = id;
    }
}

std::optional<FinishedGeneration> IslandSearch::finish_generation(double now) {
    if (finished_) return std::nullopt;
    if (started_ == 0) started_ = now;
    draw_due();
    settle_duplicates();
    if (!generation_ready()) return std::nullopt;

    FinishedGeneration generation;
    std::vector<Evaluated> results;
    for (std::size_t i = 0; i < population(); ++i) {
        const auto& pending = pending_[i];
        results.push_back(
            {pending.candidate.id, pending.candidate.genome, pending.result->fitness});
        generation.candidates.push_back(record_of(pending));
        remember(pending.candidate.id, pending.candidate.genome, pending.result->scores,
                 pending.result->fitness, pending.result->status);
    }
    optimizer_->tell(results);
    generation.record.generation = told_;
    generation.record.started = started_;
    generation.record.ended = now;
    summarise(generation);
    migrate(generation, now);
    for (const auto& [name, value] : optimizer_->diagnostics())
        generation.record.diagnostics.push_back(value);
    generation.record.diversity = diversity_of(*optimizer_);
    ++told_;
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(population()));
    started_ = now;
    check_budget(generation);
    return generation;
}

void IslandSearch::summarise(FinishedGeneration& generation) const {
    double sum = 0, squares = 0;
    int count = 0;
    for (const auto& candidate : generation.candidates) {
        if (!std::isfinite(candidate.fitness)) continue;
        sum += candidate.fitness;
        ++count;
    }
    const double mean = count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
    for (const auto& candidate : generation.candidates)
        if (std::isfinite(candidate.fitness))
            squares += (candidate.fitness - mean) * (candidate.fitness - mean);
    auto& record = generation.record;
    record.evaluations = (told_ + 1 - first_) * population();
    record.best = best_fitness_;
    record.best_candidate = best_id_;
    record.mean = mean;
    record.deviation = count > 1 ? std::sqrt(squares / (count - 1)) : 0.0;
}

void IslandSearch::migrate(FinishedGeneration& generation, double now) {
    const auto record = [&](const Evaluated& migrant, int peer, MigrationDirection direction) {
        generation.migrations.push_back({told_, migrant.id, now, migrant.fitness,
                                         static_cast<std::uint32_t>(peer), direction,
                                         migrant.genome});
    };
    if (!settings_.targets.empty() && mailbox_.sends_after(told_)) {
        generation.outgoing =
            MigrantPacket{settings_.island, told_, false, false,
                          choose_migrants(settings_.migration, *optimizer_, settings_.seed,
                                          settings_.island, told_)};
        for (const int target : settings_.targets)
            for (const auto& migrant : generation.outgoing->migrants)
                record(migrant, target, MigrationDirection::sent);
    }
    std::vector<Evaluated> accepted;
    const auto due =
        settings_.mode == Mode::deterministic ? mailbox_.take(told_) : mailbox_.take_all();
    for (const auto& packet : due) {
        neighbour_reached_target_ |= packet.target_reached;
        for (const auto& migrant : packet.migrants) {
            const bool wanted = std::isfinite(migrant.fitness) &&
                                (settings_.migration.replacement == MigrantReplacement::fair ||
                                 migrant.fitness > best_fitness_);
            if (wanted) accepted.push_back(migrant);
            record(migrant, packet.source,
                   wanted ? MigrationDirection::accepted : MigrationDirection::refused);
        }
    }
    if (!accepted.empty()) optimizer_->inject(accepted);
}

void IslandSearch::check_budget(FinishedGeneration& generation) {
    target_reached_ = settings_.budget.target && best_fitness_ >= *settings_.budget.target;
    finished_ = told_ * population() >= ask_limit() || target_reached_ || neighbour_reached_target_;
    if (finished_ && !settings_.targets.empty()) {
        if (!generation.outgoing)
            generation.outgoing = MigrantPacket{settings_.island, told_ - 1, false, false, {}};
        generation.outgoing->last = true;
        generation.outgoing->target_reached = target_reached_ || neighbour_reached_target_;
    }
    if (!generation.outgoing) return;
    sent_.push_back(*generation.outgoing);
    // No island gets further ahead of another than the chain of dependences between them allows.
    const auto& m = settings_.migration;
    const auto reach = static_cast<std::uint64_t>(settings_.islands + 1) *
                       static_cast<std::uint64_t>(m.lag + m.interval);
    while (!sent_.empty() && sent_.front().generation + reach < told_) sent_.pop_front();
}

MigrantPacket IslandSearch::end_now() {
    finished_ = true;
    MigrantPacket packet{settings_.island, told_ == 0 ? 0 : told_ - 1, true, target_reached_, {}};
    if (!sent_.empty() && sent_.back().generation == packet.generation) {
        packet.migrants = sent_.back().migrants;  // the neighbours may still need these
        sent_.pop_back();
    }
    sent_.push_back(packet);
    return packet;
}

std::vector<IslandSearch::Ranked> IslandSearch::best(std::size_t count) const {
    std::vector<Ranked> ranked;
    for (const auto& [genome, id] : first_with_genome_) {
        const auto known = known_.find(id);
        if (known != known_.end() && !known->second.failed)
            ranked.push_back({id, known->second.fitness, genome});
    }
    std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
        return a.fitness != b.fitness ? a.fitness > b.fitness : a.id < b.id;
    });
    if (ranked.size() > count) ranked.resize(count);
    return ranked;
}

json IslandSearch::save() const {
    json pending = json::array();
    for (const auto& p : pending_) {
        json entry{{"candidate", to_json(p.candidate)}};
        if (p.same_as) entry["same_as"] = *p.same_as;
        if (p.result && p.result->status != CandidateStatus::reused)
            entry["result"] = to_json(*p.result);
        pending.push_back(std::move(entry));
    }
    json sent = json::array();
    for (const auto& packet : sent_) {
        const auto bytes = pack(packet);
        sent.push_back(json::binary(std::vector<std::uint8_t>(bytes.begin(), bytes.end())));
    }
    return {{"asked", asked_},
            {"told", told_},
            {"neighbour_reached_target", neighbour_reached_target_},
            {"pending", pending},
            {"sent", sent},
            {"mailbox", mailbox_.save()},
            {"optimizer", optimizer_->save()}};
}

void IslandSearch::load(const json& state, const std::vector<CandidateRecord>& told) {
    asked_ = state.at("asked").get<std::uint64_t>();
    told_ = state.at("told").get<std::uint64_t>();
    neighbour_reached_target_ = state.at("neighbour_reached_target").get<bool>();
    if (told.size() != evaluations())
        throw Error(fmt::format("island {} can't resume", settings_.island),
                    fmt::format("its history holds {} candidates, its checkpoint speaks of {}",
                                told.size(), evaluations()),
                    "run `galapagos verify` on the run directory.");
    first_with_genome_.clear();
    known_.clear();
    for (const auto& record : told)
        remember(record.id, record.genome, record.scores, record.fitness, record.status);
    pending_.clear();
    for (const auto& entry : state.at("pending")) {
        Pending pending;
        pending.candidate = candidate_from_json(entry.at("candidate"));
        first_with_genome_.try_emplace(pending.candidate.genome, pending.candidate.id);
        if (entry.contains("same_as")) pending.same_as = entry["same_as"].get<std::uint64_t>();
        if (entry.contains("result")) pending.result = result_from_json(entry["result"]);
        pending_.push_back(std::move(pending));
    }
    sent_.clear();
    for (const auto& packet : state.at("sent")) {
        const auto& bytes = packet.get_binary();
        sent_.push_back(unpack_packet(std::string(bytes.begin(), bytes.end())));
    }
    mailbox_.load(state.at("mailbox"));
    optimizer_->load(state.at("optimizer"));
    // Budgets may have changed since: whether the run has ended is decided anew.
    target_reached_ = settings_.budget.target && best_fitness_ >= *settings_.budget.target;
    finished_ = told_ * population() >= ask_limit() || target_reached_ || neighbour_reached_target_;
    if (!finished_)
        for (auto& packet : sent_) packet.last = false;
}

}  // namespace galapagos
