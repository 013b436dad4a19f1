// Whole candidates in a GPU's memory, by the twins of all its kernels, against the CPU's: merged
// one after the other into the same memory, then run. Runs under mpirun with 1 and 2 ranks: the
// tensor-parallel width.
#include "island/device_candidate_cases.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>

#include "base/error.hpp"
#include "island/twin_machine.hpp"

namespace galapagos {
namespace {

using namespace test;
using ::testing::HasSubstr;

class DeviceCandidateTest : public ::testing::Test {
  protected:
    template <typename T>
    cuda::MakeMachine<T> twin(const FreeMemory& free = {std::size_t{80} << 30, 0}) {
        return twin_machine<T>(free, counts_);
    }
    template <typename T>
    BothCandidates<T> both(const LayerRoute& route = {}) {
        return {sources_, some_recipes(), route, group_, twin<T>()};
    }
    /// As much memory as candidates take whose sources are streamed.
    template <typename T>
    FreeMemory least_memory() const {
        return {tiny_needs<T>(sources_, some_recipes(), group_.size()).streaming(), 0};
    }
    Architecture architecture() const {
        return candidate_architecture(sources_[0]->config(), *sources_[0], sources_);
    }
    /// Of a rank's candidate of some_recipes in fp32.
    ResidencyNeeds needs_at(int width, int rank = 0) const {
        return tiny_needs<float>(sources_, some_recipes(), width, rank);
    }
    static void copy_out(const std::byte* from, std::size_t bytes, void* to) {
        std::memcpy(to, from, bytes);
    }

    Communicator group_ = Communicator::world();
    TemporaryFolder folder_;
    Sources sources_ = tiny_sources(folder_, {"base", "a", "b"}, uneven_options());
    Counts counts_;
};

TEST_F(DeviceCandidateTest, MergesAndRunsAsTheCpuDoesOneAfterTheOther) {
    auto candidates = both<float>();
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_scores(1e-4);
    }
}

TEST_F(DeviceCandidateTest, MergesToTheSameBitsInBf16) {
    auto candidates = both<Bf16>();
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
    }
    candidates.expect_equal_scores(0.5);
}

TEST_F(DeviceCandidateTest, FollowsARoute) {
    const LayerRoute route{ScaleRule::branch, {{0, 1}, {1, 0.5F}, {0, 0.9F}}};
    // Its memory is a little more than that of a plain route.
    FreeMemory little = least_memory<float>();
    little.device += 4096;
    for (const FreeMemory& free : {FreeMemory{std::size_t{80} << 30, 0}, little}) {
        BothCandidates<float> candidates(sources_, some_recipes(), route, group_,
                                         twin<float>(free));
        SCOPED_TRACE(candidates.device().residency().why);
        candidates.merge(some_recipes().front());
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_scores(1e-4);
    }
    EXPECT_GT(counts_.batches, 0);
}

TEST_F(DeviceCandidateTest, StreamsSourcesToTheSameBitsInBf16) {
    BothCandidates<Bf16> candidates(sources_, some_recipes(), {}, group_,
                                    twin<Bf16>(least_memory<Bf16>()));
    ASSERT_EQ(candidates.device().residency().residency, Residency::mapped_files);
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
    }
    candidates.expect_equal_scores(0.5);
}

/// A base, a model of it by an adapter, and the base again under another name.
TEST_F(DeviceCandidateTest, StreamsWhatAnAdapterChangesAndWhatItLeaves) {
    make_tiny_adapter(folder_ / "adapter", uneven_options());
    SourceOptions options;
    options.cache_folder = folder_ / "cache";
    sources_[1] = Source::open({"a", folder_ / "base", folder_ / "adapter"}, options);
    sources_[2] = Source::open({"b", folder_ / "base", std::nullopt}, options);
    BothCandidates<float> candidates(sources_, some_recipes(), {}, group_,
                                     twin<float>(least_memory<float>()));
    ASSERT_EQ(candidates.device().residency().residency, Residency::mapped_files);
    for (const std::string& yaml : some_recipes()) {
        SCOPED_TRACE(yaml);
        candidates.merge(yaml);
        candidates.expect_equal_tensors(copy_out);
    }
}

TEST_F(DeviceCandidateTest, StatisticsAreKeptFromCandidateToCandidate) {
    auto candidates = both<float>();
    const auto ties = [](double weight) {
        return fmt::format(
            "merge_method: ties\nbase_model: base\nmodels: [{{model: a}}, {{model: b}}]\n"
            "parameters: {{weight: {}, density: 0.4}}\n",
            weight);
    };
    candidates.merge(ties(0.5));
    const Counts first = counts_;
    candidates.merge(ties(0.75));
    candidates.expect_equal_tensors(copy_out);
    EXPECT_EQ(first.merges, 1);
    EXPECT_EQ(counts_.merges, 2);
    EXPECT_GT(first.statistics, 50);
    // Cuts inside a step are looked up again, for all tensors together; by several ranks a few bits
    // at a time.
    EXPECT_LE(counts_.statistics - first.statistics, group_.size() > 1 ? 18 : 4);
}

TEST_F(DeviceCandidateTest, TakesNoMemoryAfterItIsMade) {
    for (const FreeMemory& free : {FreeMemory{std::size_t{80} << 30, 0}, least_memory<float>()}) {
        counts_ = {};
        BothCandidates<float> candidates(sources_, some_recipes(), {}, group_, twin<float>(free));
        const std::size_t at_first = counts_.allocated;
        EXPECT_GT(at_first, 0u);
        for (const std::string& yaml : some_recipes()) candidates.merge(yaml);
        candidates.expect_equal_scores(1e-4);
        EXPECT_EQ(counts_.allocated, at_first);
    }
}

TEST_F(DeviceCandidateTest, HasTheSameBitsWhereverTheSourcesLie) {
    const ResidencyNeeds needs = needs_at(group_.size());
    const ResidencyNeeds mine = needs_at(group_.size(), group_.rank());
    const std::size_t sources = needs.sources, rest = needs.beside_sources();
    struct Place {
        FreeMemory free;
        Residency residency;
        std::size_t pinned;
        bool overlaps;
        int batches;  ///< at least, of some_recipes
    };
    for (const Place& place :
         {Place{{sources + rest, 0}, Residency::device, 0, false, 0},
          Place{{rest + needs.candidate - 1, sources},
                Residency::pinned_host,
                mine.sources,
                false,
                0},
          Place{{rest + needs.candidate, sources}, Residency::pinned_host, mine.sources, true, 0},
          Place{{needs.streaming(), sources - 1}, Residency::mapped_files, 0, false, 40}}) {
        counts_ = {};
        BothCandidates<float> candidates(sources_, some_recipes(), {}, group_,
                                         twin<float>(place.free));
        SCOPED_TRACE(candidates.device().residency().why);
        EXPECT_EQ(candidates.device().residency().residency, place.residency);
        EXPECT_EQ(counts_.pinned, place.pinned);
        EXPECT_EQ(candidates.device().prepares(), place.overlaps);
        for (const std::string& yaml : some_recipes()) {
            SCOPED_TRACE(yaml);
            candidates.merge(yaml);
            candidates.expect_equal_tensors(copy_out);
        }
        candidates.expect_equal_scores(1e-4);
        EXPECT_GE(counts_.batches, place.batches);
        EXPECT_EQ(counts_.batches > 0, place.residency == Residency::mapped_files);
        if (place.batches > 0) {
            EXPECT_EQ(counts_.statistics, 0);  // the CPU takes them
        }
    }
}

TEST_F(DeviceCandidateTest, HasTheSameBitsWhateverWasForetold) {
    const ResidencyNeeds needs =
        tiny_needs<float>(sources_, recipes_without_ranks(), group_.size());
    for (const std::size_t room : {needs.candidate, needs.candidate - 1}) {
        counts_ = {};
        const FreeMemory free{needs.beside_sources() + room, needs.sources};
        BothCandidates<float> candidates(sources_, recipes_without_ranks(), {}, group_,
                                         twin<float>(free));
        const std::size_t at_first = counts_.allocated;
        const bool overlaps = room == needs.candidate;
        EXPECT_EQ(candidates.device().prepares(), overlaps);
        if (overlaps)
            expect_the_same_whatever_is_foretold(candidates, copy_out);
        else
            candidates.foretell(recipes_without_ranks()[0]);
        EXPECT_EQ(counts_.merges_beside_work > 0, overlaps);
        EXPECT_EQ(counts_.allocated, at_first);
    }
}

TEST_F(DeviceCandidateTest, WhatWasForetoldIsNotMergedAgain) {
    const ResidencyNeeds needs = needs_at(group_.size());
    const FreeMemory free{needs.beside_sources() + needs.candidate, needs.sources};
    BothCandidates<float> candidates(sources_, some_recipes(), {}, group_, twin<float>(free));
    candidates.merge(some_recipes()[0]);
    EXPECT_EQ(counts_.merges, 1);
    candidates.foretell(some_recipes()[2]);
    EXPECT_EQ(counts_.merges, 2);
    EXPECT_EQ(counts_.merges_beside_work, 1);
    for (int i = 0; i < 2; ++i) {
        candidates.merge(some_recipes()[2]);
        candidates.expect_equal_tensors(copy_out);
    }
    EXPECT_EQ(counts_.merges, 2);
    candidates.merge(some_recipes()[3]);
    candidates.expect_equal_tensors(copy_out);
    EXPECT_EQ(counts_.merges, 3);
    EXPECT_EQ(counts_.merges_beside_work, 1);
}

/// What fails on one rank alone while it is prepared is merged again by all, who gather statistics
/// together.
TEST_F(DeviceCandidateTest, RanksPrepareAlike) {
    const ResidencyNeeds needs = needs_at(group_.size());
    const FreeMemory free{needs.beside_sources() + needs.candidate, needs.sources};
    BothCandidates<float> candidates(sources_, some_recipes(), {}, group_, twin<float>(free));
    const std::string divergent = some_recipes()[7];
    candidates.merge(some_recipes()[0]);
    counts_.refuse_merges = group_.rank() == group_.size() - 1;
    if (counts_.refuse_merges) {
        EXPECT_THROW(candidates.foretell(divergent), Error);
    } else {
        candidates.foretell(divergent);
    }
    counts_.refuse_merges = false;
    candidates.expect_equal_greedy_ids();
    candidates.merge(divergent);
    candidates.expect_equal_tensors(copy_out);
    candidates.expect_equal_greedy_ids();
}

/// A byte less than planned is refused at the start.
TEST_F(DeviceCandidateTest, WhatDoesNotFitIsRefusedAtTheStart) {
    const auto error_of = [&](const FreeMemory& free) -> std::string {
        try {
            cuda::DeviceCandidate<float>(sources_, *sources_[0], architecture(), {}, Communicator(),
                                         5, tiny_decoder(), plans_of(some_recipes(), sources_),
                                         twin<float>(free));
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    const ResidencyNeeds needs = needs_at(1);
    const std::size_t sources = needs.sources, rest = needs.beside_sources();
    const std::size_t least = needs.streaming(), later = needs.decoder + needs.libraries;
    EXPECT_EQ(error_of({sources + rest, 0}), "");
    EXPECT_EQ(counts_.allocated, sources + rest - later);
    EXPECT_EQ(error_of({rest, sources}), "");
    counts_ = {};
    EXPECT_EQ(error_of({least, sources - 1}), "");
    EXPECT_EQ(counts_.allocated, least - later);
    EXPECT_THAT(error_of({std::min(rest, least) - 1, sources}),
                AllOf(HasSubstr("a candidate doesn't fit in the GPU's memory"),
                      HasSubstr("statistics 0.00 GiB, tables 0.00 GiB, libraries 0.50 GiB")));
    EXPECT_THAT(error_of({least - 1, sources - 1}),
                AllOf(HasSubstr("a candidate doesn't fit in the GPU's memory"),
                      HasSubstr("a window of 0.00 GiB for sources that stay in their files"),
                      HasSubstr("use more tensor-parallel ranks")));
}

/// The rank with the least room chooses for its group.
TEST_F(DeviceCandidateTest, RanksChooseAlike) {
    const bool last = group_.rank() == group_.size() - 1;
    const ResidencyNeeds needs = needs_at(group_.size());
    const std::size_t two = needs.beside_sources() + needs.candidate;
    const auto prepares = [&](const FreeMemory& free) {
        return BothCandidates<float>(sources_, some_recipes(), {}, group_, twin<float>(free))
            .device()
            .prepares();
    };
    EXPECT_TRUE(prepares({two + (last ? 0 : needs.sources), needs.sources}));
    EXPECT_FALSE(prepares({two - (last ? 1 : 0), needs.sources}));
    EXPECT_EQ(counts_.batches, 0);
    BothCandidates<float> candidates(sources_, some_recipes(), {}, group_,
                                     twin<float>({two, needs.sources - (last ? 1 : 0)}));
    EXPECT_EQ(candidates.device().residency().residency, Residency::mapped_files);
    candidates.merge(della_recipe());
    candidates.expect_equal_tensors(copy_out);
}

/// A rank without room is the end for its whole group, and all say why.
TEST_F(DeviceCandidateTest, RanksThatDoNotFitAreEveryRanksError) {
    const bool last = group_.rank() == group_.size() - 1;
    const ResidencyNeeds needs = needs_at(group_.size());
    const std::size_t enough = needs.sources + needs.beside_sources();
    const std::size_t least = std::min(needs.beside_sources(), needs.streaming());
    try {
        cuda::DeviceCandidate<float>(sources_, *sources_[0], architecture(), {}, group_, 5,
                                     tiny_decoder(), plans_of(some_recipes(), sources_),
                                     twin<float>({last ? least - 1 : enough, 0}));
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("a candidate doesn't fit in the GPU's memory"));
    }
}

/// Not when others have come to what devices do together, and wait for it there.
TEST_F(DeviceCandidateTest, MemoryThatOneRankDoesNotGetIsEveryRanksError) {
    const bool last = group_.rank() == group_.size() - 1;
    for (const char* what : {"candidate", "sources"}) {
        if (last) counts_.refused_memory = what;
        try {
            BothCandidates<float>(sources_, some_recipes(), {}, group_, twin<float>());
            FAIL();
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(std::string("no memory for ") + what));
        }
    }
}

}  // namespace
}  // namespace galapagos
