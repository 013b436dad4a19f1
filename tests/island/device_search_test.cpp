// Whole searches whose candidates live on a device, by the twins of all its kernels. Runs under
// mpirun with 1 and 2 ranks: the tensor-parallel width.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "history/history_reader.hpp"
#include "island/cpu_candidate.hpp"
#include "island/cuda/candidate_needs.hpp"
#include "island/cuda/device_candidate.hpp"
#include "island/tiny_search.hpp"
#include "island/twin_machine.hpp"

namespace galapagos {
namespace {

using namespace test;

constexpr int generations = 3;

/// What a device has room for beside a candidate.
enum class Room { sources, next_candidate, nothing, window };

FreeMemory memory_for(Room room, const ResidencyNeeds& needs) {
    const std::size_t candidate = needs.beside_sources();
    if (room == Room::window) return {needs.streaming(), 0};
    if (room == Room::sources) return {candidate + needs.sources, 0};
    return {candidate + (room == Room::next_candidate ? needs.candidate : 0), needs.sources};
}

CandidateFactory twin_candidates(Counts& counts, Room room = Room::sources) {
    return [&counts, room](std::vector<std::shared_ptr<const Source>> sources,
                           const Source& layout_source, Architecture architecture,
                           const LayerRoute& route, const Communicator& group, std::uint64_t seed,
                           const DecoderOptions& options,
                           const MergeForms& forms) -> std::unique_ptr<CandidateModel> {
        const Sharding sharding(layout_source.config(), group.size(), 0);
        const Arena layout(arena_specs(architecture, sharding, DType::f32), ArenaUse::layout);
        const ResidencyNeeds needs = cuda::candidate_needs(
            sources, cuda::own_tensors(sources), architecture, sharding, layout,
            LayerRoute::plain(architecture.layers), options, forms.plans);
        return std::make_unique<cuda::DeviceCandidate<float>>(
            std::move(sources), layout_source, std::move(architecture), route, group, seed, options,
            forms, twin_machine<float>(memory_for(room, needs), counts));
    };
}

class DeviceSearch : public ::testing::Test {
  protected:
    DeviceSearch() : world_(Communicator::world()) {
        if (world_.is_root()) folder_.emplace();
        base_ = world_.broadcast(folder_ ? folder_->path().string() : std::string());
    }
    ~DeviceSearch() override { world_.barrier(); }

    /// Collective: one island, whose ranks evaluate together, or in groups of `width`. The history
    /// is on rank 0.
    IslandHistory run(const std::string& name, const CandidateFactory& factory, int width = 0) {
        const auto layout = make_process_layout(world_, 1, width > 0 ? width : world_.size());
        const RunLayout run{base_ / name};
        auto evaluator = search_.evaluator(layout.group, factory);
        if (!layout.is_island_root()) {
            serve_island_root(layout, evaluator);
            return {};
        }
        for (const auto& folder : {run.islands(), run.checkpoints()})
            std::filesystem::create_directories(folder);
        auto islands = testing::make_islands(
            layout, run, 1,
            [](int island) { return testing::search_settings(island, 1, generations); },
            [&](int island) { return search_.optimizer(island); }, search_.schema());
        IslandRoot root(layout, evaluator, std::move(islands), StopWatch(run.stop(), std::nullopt),
                        {2, true, true}, {});
        EXPECT_FALSE(root.run().winner.is_null());
        return read_run(run.root).islands.at(0);
    }

    Communicator world_;
    std::optional<TemporaryFolder> folder_;
    std::filesystem::path base_;
    TinySearch search_;
    Counts counts_;
};

TEST_F(DeviceSearch, ASecondRunHasTheSameHistory) {
    const auto first = run("first", twin_candidates(counts_));
    const auto second = run("second", twin_candidates(counts_));
    if (!world_.is_root()) return;
    ASSERT_EQ(first.candidates.size(), 6u * generations);
    for (const auto& candidate : first.candidates)
        EXPECT_EQ(candidate.status, CandidateStatus::evaluated) << candidate.reason;
    EXPECT_EQ(fingerprint(first), fingerprint(second));
}

TEST_F(DeviceSearch, WhereTheSourcesLieAndMergesBesideEvaluationsChangeNothing) {
    for (int width = world_.size(); width > 0; --width) {
        SCOPED_TRACE(width);
        const auto name = [&](const char* room) { return fmt::format("{}-{}", room, width); };
        const auto resident = run(name("sources"), twin_candidates(counts_), width);
        const auto waiting = run(name("nothing"), twin_candidates(counts_, Room::nothing), width);
        EXPECT_EQ(counts_.merges_beside_work, 0);
        const auto beside =
            run(name("next"), twin_candidates(counts_, Room::next_candidate), width);
        EXPECT_TRUE(counts_.merges_beside_work > 0 || !world_.is_root());
        EXPECT_EQ(counts_.batches, 0);
        const auto streamed = run(name("window"), twin_candidates(counts_, Room::window), width);
        EXPECT_TRUE(counts_.batches > 0 || !world_.is_root());
        counts_ = {};
        if (!world_.is_root()) continue;
        EXPECT_EQ(fingerprint(streamed), fingerprint(resident));
        EXPECT_EQ(fingerprint(waiting), fingerprint(resident));
        EXPECT_EQ(fingerprint(beside), fingerprint(resident));
    }
}

TEST_F(DeviceSearch, ScoresAreTheCpusToRounding) {
    const auto device = run("device", twin_candidates(counts_));
    const auto cpu = run("cpu", make_cpu_candidate);
    if (!world_.is_root()) return;
    // The first population does not depend on scores.
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(device.candidates.at(i).genome, cpu.candidates.at(i).genome);
        EXPECT_NEAR(device.candidates.at(i).fitness, cpu.candidates.at(i).fitness, 1e-4);
    }
}

TEST_F(DeviceSearch, LayerPathsScoreAsOnTheCpu) {
    const auto space = search_.path_space();
    const auto layout = make_process_layout(world_, 1, world_.size());
    auto device = search_.evaluator(layout.group, twin_candidates(counts_), space);
    // Layers are merged once: where other searches pin the sources, these stream them.
    auto streaming =
        search_.evaluator(layout.group, twin_candidates(counts_, Room::next_candidate), space);
    auto cpu = search_.evaluator(layout.group, make_cpu_candidate, space);
    for (std::size_t left_out = 0; left_out < 4; ++left_out) {
        galapagos::Candidate path;
        path.genome = initial_genome(space->genes());
        std::fill_n(path.genome.begin(), 8, 0.0);  // steps a0 a1 b0 b1 a0 a1 b0 b1
        for (const std::size_t step :
             {std::size_t{0}, std::size_t{2}, std::size_t{3}, std::size_t{5}})
            path.genome[step] = 1;
        path.genome[left_out] = 0;
        path.genome[8 + 3] = 0.75;  // scale of step 3
        const auto result = device.evaluate(path, {});
        const auto expected = cpu.evaluate(path, {});
        EXPECT_EQ(result->status, CandidateStatus::evaluated) << result->reason;
        EXPECT_NEAR(result->fitness, expected->fitness, 1e-4);
        EXPECT_EQ(streaming.evaluate(path, {})->fitness, result->fitness);
    }
    EXPECT_GT(counts_.batches, 0);
}

}  // namespace
}  // namespace galapagos
