// Candidates in a device's memory against the CPU's, one after the other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "island/cpu_candidate.hpp"
#include "island/cuda/candidate_needs.hpp"
#include "island/cuda/device_candidate.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos::test {

inline DecoderOptions tiny_decoder() {
    DecoderOptions options;
    options.max_batch = 3;
    options.max_tokens = 32;
    options.batch_tokens = 32;
    options.max_hops = 4;
    return options;
}

template <typename T>
DecoderOptions tiny_decoder_of() {
    DecoderOptions options = tiny_decoder();
    options.dtype = std::is_same_v<T, float> ? DType::f32 : DType::bf16;
    return options;
}

/// What a rank of a group takes of its device to merge these recipes. The first one takes the most.
template <typename T>
ResidencyNeeds tiny_needs(const Sources& sources, const std::vector<std::string>& recipes,
                          int width, int rank = 0) {
    const auto architecture = candidate_architecture(sources[0]->config(), *sources[0], sources);
    const Sharding sharding(sources[0]->config(), width, rank);
    const DecoderOptions options = tiny_decoder_of<T>();
    const Arena layout(arena_specs(architecture, sharding, options.dtype), ArenaUse::layout);
    return cuda::candidate_needs(sources, cuda::own_tensors(sources), architecture, sharding,
                                 layout, LayerRoute::plain(architecture.layers), options,
                                 plans_of(recipes, sources));
}

/// The same plans for both kinds, over the same sources.
template <typename T>
class BothCandidates {
  public:
    /// `recipes` are all that will be merged.
    BothCandidates(const Sources& sources, const std::vector<std::string>& recipes,
                   const LayerRoute& route, const Communicator& group,
                   const cuda::MakeMachine<T>& make_machine)
        : sources_(sources),
          cpu_(sources, *sources[0], architecture(), route, group, 5, options()),
          device_(sources, *sources[0], architecture(), route, group, 5, options(),
                  plans_of(recipes, sources), make_machine) {}

    void merge(const std::string& yaml) {
        const MergePlan plan = plan_of(yaml, sources_);
        for (CandidateModel* model :
             {static_cast<CandidateModel*>(&cpu_), static_cast<CandidateModel*>(&device_)})
            model->merge(plan);
    }

    const cuda::DeviceCandidate<T>& device() const { return device_; }
    void foretell(const std::string& yaml) { device_.prepare(plan_of(yaml, sources_)); }

    /// copy_out(from, bytes, to) reads the device's memory.
    template <typename CopyOut>
    void expect_equal_tensors(const CopyOut& copy_out) {
        for (const TensorSpec& spec : cpu_.arena().specs()) {
            const TensorView expected = cpu_.arena().view(spec.name);
            const TensorView place = device_.layout().view(spec.name);
            std::vector<std::byte> found(expected.bytes());
            copy_out(device_.weights() + (place.data - device_.layout().span().data()),
                     found.size(), found.data());
            EXPECT_EQ(found, std::vector(expected.data, expected.data + expected.bytes()))
                << spec.name;
        }
    }

    void expect_equal_greedy_ids() {
        const std::vector<GenerationRequest> requests{{{3, 1, 4, 1, 5, 9, 2, 6}, 12, {}},
                                                      {{31}, 9, {}},
                                                      {{5, 35, 8}, 20, {7}},
                                                      {{9, 7, 9}, 4, {}}};
        const auto expected = cpu_.decoder().generate(requests);
        const auto found = device_.decoder().generate(requests);
        for (std::size_t i = 0; i < requests.size(); ++i)
            EXPECT_EQ(found[i].ids, expected[i].ids) << "request " << i;
    }

    /// Log-likelihoods within `tolerance`.
    void expect_equal_scores(double tolerance) {
        const std::vector<ScoreRequest> requests{{{3, 1, 4, 1, 5}, {9, 2}},
                                                 {{3, 1, 4, 1, 5}, {6, 5, 3}},
                                                 {{58}, {9}},
                                                 {{7, 9, 3, 2}, {38, 46, 2, 6}}};
        const auto expected = cpu_.decoder().score(requests);
        const auto found = device_.decoder().score(requests);
        for (std::size_t i = 0; i < requests.size(); ++i)
            EXPECT_NEAR(found[i].log_likelihood, expected[i].log_likelihood, tolerance)
                << "request " << i;
    }

  private:
    static DecoderOptions options() { return tiny_decoder_of<T>(); }
    Architecture architecture() const {
        return candidate_architecture(sources_[0]->config(), *sources_[0], sources_);
    }

    Sources sources_;
    CpuCandidate cpu_;
    cuda::DeviceCandidate<T> device_;
};

/// One of each kind of statistic, over the sources base, a and b.
inline std::vector<std::string> some_recipes() {
    const std::vector<std::string> all = recipes_of_all_methods();
    std::vector<std::string> some;
    for (const std::size_t i : {0, 1, 4, 6, 8, 10, 15, 21, 25}) some.push_back(all[i]);
    return some;
}

/// The one of some_recipes that needs ranks of magnitudes.
inline std::string della_recipe() { return recipes_of_all_methods()[10]; }

inline std::vector<std::string> recipes_without_ranks() {
    std::vector<std::string> recipes = some_recipes();
    std::erase(recipes, della_recipe());
    return recipes;
}

/// Of candidates made for recipes_without_ranks, one after the other: each is foretold or not, or
/// others are, first or alone, or one that can't be merged. The decoder runs it before the device
/// is made to finish all that is queued.
template <typename CopyOut>
void expect_the_same_whatever_is_foretold(BothCandidates<float>& candidates,
                                          const CopyOut& copy_out) {
    const std::vector<std::string> recipes = recipes_without_ranks();
    for (std::size_t i = 0; i < recipes.size(); ++i) {
        SCOPED_TRACE(recipes[i]);
        const std::string& next = recipes[(i + 1) % recipes.size()];
        const std::string& other = recipes[(i + 2) % recipes.size()];
        candidates.merge(recipes[i]);
        if (i % 5 == 1 || i % 5 == 2) candidates.foretell(other);
        if (i % 5 == 3) {
            EXPECT_THROW(candidates.foretell(della_recipe()), Error);
        }
        if (i % 5 < 2) candidates.foretell(next);
        candidates.expect_equal_greedy_ids();
        candidates.expect_equal_tensors(copy_out);
    }
    EXPECT_THROW(candidates.merge(della_recipe()), Error);
    candidates.merge(recipes[0]);
    candidates.expect_equal_greedy_ids();
    candidates.expect_equal_tensors(copy_out);
}

}  // namespace galapagos::test
