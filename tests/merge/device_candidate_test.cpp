// Whole candidates of every method, one after the other, through the GPU's kernels of statistics
// and merging, by their host's twins: the bytes are those of the CPU's merger.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "merge/device_merge.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos {
namespace {

using namespace test;

/// Tensor-parallel widths, and where the sources lie.
std::vector<std::pair<int, Residency>> every_way() {
    std::vector<std::pair<int, Residency>> ways;
    for (const int width : {1, 2, 6})
        for (const Residency residency : {Residency::device, Residency::mapped_files})
            ways.emplace_back(width, residency);
    return ways;
}

TEST(DeviceCandidate, HasTheBytesOfTheCpuAtEveryTensorParallelWidth) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const std::vector<MergePlan> forms = plans_of(recipes_of_all_methods(), sources);
    for (const auto& [width, residency] : every_way())
        for (int rank = 0; rank < width; ++rank) {
            const Sharding sharding(sources[0]->config(), width, rank);
            Device device(sources, sharding, forms, {residency});
            Merger merger(sources, sharding, device_seed);
            for (const std::string& yaml : recipes_of_all_methods()) {
                const MergePlan plan = plan_of(yaml, sources);
                Arena expected = arena_for(plan, sharding), layout = arena_for(plan, sharding);
                merger.merge(plan, expected);
                const std::byte rest{0xA5};
                ASSERT_EQ(device.merged(plan, layout, rest), bytes_of(expected, rest))
                    << yaml << "at " << rank << "/" << width;
                EXPECT_TRUE(std::all_of(layout.span().begin(), layout.span().end(),
                                        [](std::byte b) { return b == std::byte{0}; }));
            }
        }
}

TEST(DeviceCandidate, TensorsOfOneMethodShareALaunch) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const MergePlan plan = plan_of(recipes_of_all_methods()[3], sources);
    Device device(sources, Sharding(), {plan});
    Arena layout = arena_for(plan, Sharding());
    device.merged(plan, layout, {});
    EXPECT_EQ(device.merge_launches, 1);
}

TEST(DeviceCandidate, StreamedSourcesShareALaunchAndACopyWhereTheWindowHoldsThem) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const std::vector<MergePlan> form = plans_of({recipes_of_all_methods()[3]}, sources);
    const Sharding sharding(sources[0]->config(), 2, 1);
    Arena layout = arena_for(form[0], sharding);
    const std::size_t all = resident_bytes(sources, own_tensors(sources), sharding);
    const std::size_t least = least_window(form, sources, own_tensors(sources), sharding);
    EXPECT_LT(least, all / 4);
    std::size_t fewest = 0;
    for (const std::size_t window : {all, all - memory_alignment, least}) {
        Device device(sources, sharding, form, {Residency::mapped_files, window});
        device.merged(form[0], layout, {});
        EXPECT_GT(device.streamed.size(), fewest);
        fewest = device.streamed.size();
        EXPECT_EQ(device.merge_launches, static_cast<int>(fewest));
        std::size_t bytes = 0;
        for (const std::size_t batch : device.streamed) {
            EXPECT_LE(batch, window);
            bytes += aligned(batch);
        }
        EXPECT_EQ(bytes, all);  // every tensor once
    }
    EXPECT_GT(fewest, 4u);

    Device device(sources, sharding, form, {Residency::mapped_files, least - memory_alignment});
    try {
        device.merged(form[0], layout, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("and their window has"));
    }
}

/// Every method's memory by itself: never more than planned, and not much less.
TEST(DeviceCandidate, TakesTheMemoryThatItsFormNeeds) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    // Recipes of a method differ in which of its statistics they ask for.
    std::map<Method, std::pair<std::size_t, std::size_t>> scratch;
    for (const auto& [width, residency] : every_way())
        for (const std::string& yaml : recipes_of_all_methods()) {
            SCOPED_TRACE(yaml + "width " + std::to_string(width));
            const Sharding sharding(sources[0]->config(), width, 0);
            const MergePlan plan = plan_of(yaml, sources);
            Device device(sources, sharding, {plan}, {residency});
            Arena layout = arena_for(plan, sharding);
            device.merged(plan, layout, {});
            const MergeBytes used = device.used(), planned = device.planned;
            EXPECT_EQ(aligned(used.tables), planned.tables);
            EXPECT_EQ(aligned(used.factors), planned.factors);
            EXPECT_EQ(used.ranks, planned.ranks);
            EXPECT_LE(used.scratch, planned.scratch);
            if (residency == Residency::mapped_files) {
                EXPECT_EQ(planned.scratch, 0u);
            } else if (width == 1) {  // of several, see device_parts_test.cpp
                auto& [most_used, most_planned] = scratch[plan.tensors.front().method];
                most_used = std::max(most_used, used.scratch);
                most_planned = std::max(most_planned, planned.scratch);
            }
        }
    for (const auto& [method, most] : scratch)
        EXPECT_GE(2 * most.first, most.second) << name_of(method);
}

TEST(DeviceCandidate, ValuesThatTheFormDidNotHaveNeedNoMoreMemory) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const auto recipe = [](const char* method, double weight, double density) {
        return fmt::format(
            "merge_method: {}\nbase_model: base\nmodels: [{{model: a}}, {{model: "
            "b}}]\nparameters: {{weight: {}, density: {}, epsilon: 0.01, gamma: "
            "0.02}}\n",
            method, weight, density);
    };
    for (const char* method : {"ties", "dare_ties", "breadcrumbs", "della"}) {
        Device device(sources, Sharding(), {plan_of(recipe(method, 0, 1), sources)});
        for (const double density : {0.02, 0.3, 0.5, 0.77, 0.97}) {
            const MergePlan plan = plan_of(recipe(method, 0.5, density), sources);
            Arena layout = arena_for(plan, Sharding());
            EXPECT_NO_THROW(device.merged(plan, layout, {})) << method << density;
        }
    }
}

TEST(DeviceCandidate, RanksOfAllFormsAreKeptBesideEachOther) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const auto bytes = [&](const std::vector<std::string>& recipes) {
        return merge_bytes(plans_of(recipes, sources), Sharding()).ranks;
    };
    const auto recipe = [](const char* base, const char* model) {
        return fmt::format(
            "merge_method: della\nbase_model: {}\nmodels: [{{model: {}}}]\n"
            "parameters: {{weight: 1, density: 0.5, epsilon: 0.1}}\n",
            base, model);
    };
    const std::size_t one = bytes({recipe("base", "a")});
    EXPECT_GT(one, 0u);
    EXPECT_EQ(bytes({recipe("base", "a"), recipe("base", "a")}), one);
    EXPECT_EQ(bytes({recipe("base", "a"), recipe("base", "b")}), 2 * one);
    EXPECT_EQ(bytes({recipe("base", "a"), recipe("b", "a")}), 2 * one);
}

TEST(DeviceCandidate, AFormThatWasNotPlannedIsRefused) {
    const TemporaryFolder folder;
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, uneven_options());
    const MergePlan linear = plan_of(recipes_of_all_methods()[0], sources);
    Device device(sources, Sharding(), {linear});
    const auto error_of = [&](std::size_t recipe) -> std::string {
        const MergePlan plan = plan_of(recipes_of_all_methods()[recipe], sources);
        Arena layout = arena_for(plan, Sharding());
        try {
            device.merged(plan, layout, {});
        } catch (const Error& error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_EQ(error_of(0), "no error");
    EXPECT_THAT(error_of(3), ::testing::HasSubstr("its statistics take"));
    EXPECT_THAT(error_of(25), ::testing::HasSubstr("and 0 are set aside for them"));
    EXPECT_EQ(error_of(0), "no error");
}

/// A model, and the same with an adapter: what the adapter leaves alone lies there once.
TEST(DeviceCandidate, WhatSourcesReadFromOneFolderLiesThereOnce) {
    const TemporaryFolder folder;
    Sources sources = tiny_sources(folder, {"base"}, uneven_options());
    make_tiny_adapter(folder / "adapter", uneven_options());
    SourceOptions options;
    options.cache_folder = folder / "cache";
    sources.push_back(Source::open({"a", folder / "base", folder / "adapter"}, options));
    sources.push_back(Source::open({"b", folder / "base", std::nullopt}, options));
    const OwnTensors own = own_tensors(sources);
    EXPECT_TRUE(own[0].empty() && own[2].empty());
    EXPECT_EQ(own[1].size(), 4u);  // queries and values of two layers
    std::size_t changed = 0;
    for (const std::string& name : own[1]) changed += aligned(sources[1]->tensor(name).bytes());
    const Sharding sharding;
    EXPECT_EQ(resident_bytes(sources, own, sharding),
              resident_bytes({sources[0]}, own_tensors({sources[0]}), sharding) + changed);

    const MergePlan plan = plan_of(recipes_of_all_methods()[3], sources);
    Merger merger(sources, sharding, device_seed);
    Arena expected = arena_for(plan, sharding), layout = arena_for(plan, sharding);
    merger.merge(plan, expected);
    for (const Residency residency : {Residency::device, Residency::mapped_files}) {
        Device device(sources, sharding, {plan}, {residency});
        EXPECT_EQ(device.merged(plan, layout, {}), bytes_of(expected, {}));
        std::size_t streamed = 0;
        for (const std::size_t batch : device.streamed) streamed += aligned(batch);
        const bool streams = residency == Residency::mapped_files;
        EXPECT_EQ(streamed, streams ? resident_bytes(sources, own, sharding) : 0);
    }
    // As a plan opens them, without the adapter.
    Sources plain = open_named(folder, {"base"});
    for (const char* name : {"a", "b"})
        plain.push_back(Source::open({name, folder / "base", std::nullopt}));
    EXPECT_EQ(least_window({&plan, 1}, plain, own, sharding),
              least_window({&plan, 1}, sources, own, sharding));
}

}  // namespace
}  // namespace galapagos
