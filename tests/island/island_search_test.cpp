#include "island/island_search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.hpp"
#include "island/search_support.hpp"

namespace galapagos {
namespace {

using testing::make_ga;
using testing::score;
using testing::search_settings;

/// What a history holds, less its times.
struct Trace {
    std::vector<CandidateRecord> candidates;
    std::vector<MigrationRecord> migrations;

    void add(const FinishedGeneration& generation) {
        candidates.insert(candidates.end(), generation.candidates.begin(),
                          generation.candidates.end());
        migrations.insert(migrations.end(), generation.migrations.begin(),
                          generation.migrations.end());
    }
    std::string text() const {
        std::string all;
        for (const auto& c : candidates)
            all += fmt::format("{} {} {} {}\n", candidate_name(c.id), static_cast<int>(c.status),
                               c.reason, fmt::join(c.genome, " "));
        for (const auto& m : migrations)
            all += fmt::format("m {} {}\n", m.generation, candidate_name(m.candidate));
        return all;
    }
};

/// Runs islands with results that come back in a random order, `parallel` candidates at a time.
std::vector<Trace> run(int islands, unsigned order_seed, std::size_t parallel,
                       Mode mode = Mode::deterministic) {
    std::mt19937 random(order_seed);
    std::vector<IslandSearch> searches;
    std::vector<Trace> traces(static_cast<std::size_t>(islands));
    std::vector<std::vector<Candidate>> running(static_cast<std::size_t>(islands));
    for (int i = 0; i < islands; ++i) {
        auto settings = search_settings(i, islands, 8);
        settings.mode = mode;
        searches.emplace_back(settings, make_ga(5, i));
    }
    std::vector<std::pair<int, MigrantPacket>> mail;
    const auto all_finished = [&] {
        return std::all_of(searches.begin(), searches.end(),
                           [](const auto& s) { return s.finished(); });
    };
    for (int steps = 0; !all_finished(); ++steps) {
        if (steps > 1000000) throw std::runtime_error("the search stands still");
        const auto i = random() % searches.size();
        auto& search = searches[i];
        while (running[i].size() < parallel) {
            auto candidate = search.next();
            if (!candidate) break;
            running[i].push_back(*candidate);
        }
        if (!running[i].empty() && random() % 3 != 0) {
            const auto pick = random() % running[i].size();
            search.put_result(score(running[i][pick]));
            running[i].erase(running[i].begin() + static_cast<std::ptrdiff_t>(pick));
        }
        while (auto generation = search.finish_generation(1)) {
            traces[i].add(*generation);
            if (generation->outgoing)
                for (const int target : search_settings(static_cast<int>(i), islands, 8).targets)
                    mail.emplace_back(target, *generation->outgoing);
        }
        if (!mail.empty() && random() % 2 == 0) {
            searches[static_cast<std::size_t>(mail.front().first)].put_packet(mail.front().second);
            mail.erase(mail.begin());
        }
    }
    return traces;
}

TEST(IslandSearch, TheHistoryDoesNotDependOnTiming) {
    const auto reference = run(3, 1, 1);
    for (unsigned seed = 2; seed < 12; ++seed) {
        const auto other = run(3, seed, 1 + seed % 5);
        for (std::size_t i = 0; i < 3; ++i)
            EXPECT_EQ(other[i].text(), reference[i].text()) << "order " << seed;
    }
    for (const auto& trace : reference) {
        EXPECT_EQ(trace.candidates.size(), 8u * 6u);
        const auto accepted = std::count_if(
            trace.migrations.begin(), trace.migrations.end(),
            [](const auto& m) { return m.direction == MigrationDirection::accepted; });
        EXPECT_GT(accepted, 0);
    }
    EXPECT_NE(reference[0].text(), reference[1].text());
}

TEST(IslandSearch, AsynchronousModeFinishesTheBudget) {
    for (const auto& trace : run(2, 3, 4, Mode::asynchronous))
        EXPECT_EQ(trace.candidates.size(), 8u * 6u);
}

TEST(IslandSearch, SavedAndRestoredAnywhereItGoesOnTheSame) {
    const auto play = [](std::size_t restart_every) {
        IslandSearch search(search_settings(0, 1, 8), make_ga(5, 0));
        Trace trace;
        std::size_t steps = 0;
        while (!search.finished()) {
            if (auto candidate = search.next()) search.put_result(score(*candidate));
            while (auto generation = search.finish_generation(1)) trace.add(*generation);
            if (restart_every > 0 && ++steps % restart_every == 0) {
                const auto state = search.save();
                search = IslandSearch(search_settings(0, 1, 8), make_ga(5, 0));
                search.load(state, trace.candidates);
            }
        }
        return trace.text();
    };
    const auto undisturbed = play(0);
    for (const std::size_t every : {1, 2, 5, 7}) EXPECT_EQ(play(every), undisturbed);
}

TEST(IslandSearch, AGenomeSeenBeforeIsNotEvaluatedAgain) {
    OptimizerSettings settings;
    settings.kind = OptimizerKind::random;
    settings.population = 4;
    const std::vector<Gene> genes{Gene::binary("on")};  // two genomes in all
    IslandSearch search(search_settings(0, 1, 5), make_optimizer(settings, genes, 1, 0));
    int evaluated = 0;
    Trace trace;
    while (!search.finished()) {
        while (auto candidate = search.next()) {
            ++evaluated;
            search.put_result(score(*candidate));
        }
        while (auto generation = search.finish_generation(1)) trace.add(*generation);
    }
    EXPECT_EQ(evaluated, 2);
    ASSERT_EQ(trace.candidates.size(), 20u);
    for (const auto& candidate : trace.candidates)
        EXPECT_EQ(candidate.fitness, testing::formula(candidate.genome));
    EXPECT_EQ(std::count_if(trace.candidates.begin(), trace.candidates.end(),
                            [](const auto& c) { return c.status == CandidateStatus::reused; }),
              18);
}

TEST(IslandSearch, FailedCandidatesAreWorstAndTheSearchGoesOn) {
    IslandSearch search(search_settings(0, 1, 4), make_ga(5, 0));
    int count = 0;
    while (!search.finished()) {
        if (auto candidate = search.next())
            search.put_result(++count % 3 == 0
                                  ? failed_result(*candidate, "weights are not finite", 1)
                                  : score(*candidate));
        while (auto generation = search.finish_generation(1))
            EXPECT_TRUE(std::isfinite(generation->record.mean));
    }
    for (const auto& ranked : search.best(100)) EXPECT_TRUE(std::isfinite(ranked.fitness));
}

TEST(IslandSearch, StopsAtTheTargetAndTellsItsNeighbours) {
    auto settings = search_settings(0, 2, 100);
    settings.budget.target = -100;  // any candidate reaches it
    IslandSearch search(settings, make_ga(5, 0));
    std::optional<MigrantPacket> packet;
    while (!search.finished()) {
        if (auto candidate = search.next()) search.put_result(score(*candidate));
        if (auto generation = search.finish_generation(1)) packet = generation->outgoing;
    }
    EXPECT_EQ(search.generation(), 1u);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->last);
    EXPECT_TRUE(packet->target_reached);
}

TEST(IslandSearch, ACheckpointWithoutItsHistoryIsRefused) {
    IslandSearch search(search_settings(0, 1, 8), make_ga(5, 0));
    while (search.generation() < 2) {
        if (auto candidate = search.next()) search.put_result(score(*candidate));
        search.finish_generation(1);
    }
    IslandSearch restored(search_settings(0, 1, 8), make_ga(5, 0));
    EXPECT_THROW(restored.load(search.save(), {}), Error);
}

}  // namespace
}  // namespace galapagos
