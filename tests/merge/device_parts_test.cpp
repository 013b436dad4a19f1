// Statistics of tensors that are cut over the ranks' devices: each counts its parts, by the twins
// of the kernels. Runs under mpirun: the number of ranks is the tensor-parallel width.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/error.hpp"
#include "comm/lockstep.hpp"
#include "merge/cuda/part_passes.hpp"
#include "merge/device_merge.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos {
namespace {

using namespace test;
using ::testing::HasSubstr;

class DeviceParts : public ::testing::Test {
  protected:
    Sharding sharding() const { return {sources_[0]->config(), group_.size(), group_.rank()}; }
    bool is_last() const { return group_.rank() == group_.size() - 1; }
    Device device(const std::vector<MergePlan>& forms, const Sources* on_device = nullptr) {
        return {sources_, sharding(), forms, {Residency::device, 0, &group_, on_device}};
    }
    std::vector<std::byte> merged_by_cpu(const MergePlan& plan, const Sources& sources) {
        Merger merger(sources, sharding(), device_seed);
        Arena expected = arena_for(plan, sharding());
        merger.merge(plan, expected);
        return bytes_of(expected, {});
    }

    static std::string recipe(const char* method, double density) {
        return fmt::format(
            "merge_method: {}\nbase_model: base\nmodels: [{{model: a}}, {{model: b}}]\n"
            "parameters: {{weight: 0.5, density: {}, epsilon: 0.1, gamma: 0.02, rescale: true}}\n",
            method, density);
    }

    TensorGroup group_{Communicator::world()};
    TemporaryFolder folder_;  // each rank makes its own copy: the same bytes
    Sources sources_ = tiny_sources(folder_, {"base", "a", "b"}, uneven_options());
};

TEST_F(DeviceParts, CandidatesHaveTheBytesOfTheCpu) {
    const std::vector<MergePlan> forms = plans_of(recipes_of_all_methods(), sources_);
    Device device = this->device(forms);
    Merger merger(sources_, sharding(), device_seed);
    for (int round = 0; round < 2; ++round)
        for (const std::string& yaml : recipes_of_all_methods()) {
            const MergePlan plan = plan_of(yaml, sources_);
            Arena expected = arena_for(plan, sharding()), layout = arena_for(plan, sharding());
            merger.merge(plan, expected);
            const std::byte rest{0xA5};
            EXPECT_EQ(device.merged(plan, layout, rest), bytes_of(expected, rest)) << yaml;
        }
}

/// What is in the files is not what is in the devices' memory: nobody looks there.
TEST_F(DeviceParts, NobodyReadsTheFilesForWhatIsCounted) {
    TinyModelOptions options = uneven_options();
    options.seed += 10;
    const TemporaryFolder folder;
    const Sources real = tiny_sources(folder, {"base", "a", "b"}, options);
    std::set<Method> counted;
    for (const std::string& yaml : recipes_of_all_methods()) {
        const MergePlan plan = plan_of(yaml, sources_);
        const Method method = plan.tensors.front().method;
        const Thinning thinning = traits_of(method).thinning;
        const bool ranked = thinning == Thinning::by_rank;
        if ((thinning == Thinning::none || ranked) && method != Method::ramplus_tl) continue;
        counted.insert(method);
        Device device = this->device({plan}, &real);
        Arena layout = arena_for(plan, sharding());
        EXPECT_EQ(device.merged(plan, layout, {}), merged_by_cpu(plan, real)) << yaml;
    }
    EXPECT_EQ(counted,
              (std::set{Method::ties, Method::dare_linear, Method::dare_ties, Method::breadcrumbs,
                        Method::breadcrumbs_ties, Method::ramplus_tl}));
}

/// What a candidate asks for again and again takes a launch for all tensors.
TEST_F(DeviceParts, CutsAndNormsOfAllTensorsShareLaunches) {
    for (const char* method : {"ties", "breadcrumbs", "della", "dare_ties"}) {
        const MergePlan plan = plan_of(recipe(method, 0.4), sources_);
        Device device = this->device({plan});
        Arena layout = arena_for(plan, sharding());
        device.merged(plan, layout, {});
        auto& launches = device.twin().launches;
        EXPECT_GT(launches[StatisticPass::largest_magnitude], 20) << method;
        launches.clear();
        device.merged(plan, layout, {});
        int again = 0;
        for (const auto& [pass, count] : launches) again += count;
        if (method == std::string("della")) {
            EXPECT_EQ(launches, (std::map<StatisticPass, int>{{StatisticPass::thinned_sums, 1}}));
        } else if (method == std::string("dare_ties")) {
            EXPECT_EQ(again, 0);
        } else {
            EXPECT_EQ(launches[StatisticPass::collection], 1) << method;
            EXPECT_LE(launches[StatisticPass::placed_digits], 16) << method;
            EXPECT_EQ(again, 1 + launches[StatisticPass::placed_digits]) << method;
        }
    }
}

/// Every method's memory by itself: never more than planned, and not much less.
TEST_F(DeviceParts, TakeTheMemoryThatTheirFormNeeds) {
    std::map<Method, std::pair<std::size_t, std::size_t>> scratch;
    std::vector<std::string> recipes = recipes_of_all_methods();
    recipes.push_back(recipe("della_linear", 0.4));  // the others' norms are not asked for
    for (const std::string& yaml : recipes) {
        SCOPED_TRACE(yaml);
        const MergePlan plan = plan_of(yaml, sources_);
        Device device = this->device({plan});
        Arena layout = arena_for(plan, sharding());
        device.merged(plan, layout, {});
        const MergeBytes used = device.used(), planned = device.planned;
        EXPECT_EQ(aligned(used.tables), planned.tables);
        EXPECT_EQ(aligned(used.factors), planned.factors);
        EXPECT_EQ(used.ranks, planned.ranks);
        EXPECT_LE(used.scratch, planned.scratch);
        auto& [most_used, most_planned] = scratch[plan.tensors.front().method];
        most_used = std::max(most_used, used.scratch);
        most_planned = std::max(most_planned, planned.scratch);
    }
    for (const auto& [method, most] : scratch)
        EXPECT_GE(2 * most.first, most.second) << name_of(method);
}

/// At whatever launch of a candidate, or between them; the next candidate is whole.
TEST_F(DeviceParts, ADeviceThatFailsOnOneRankFailsTheMergeOnAll) {
    for (const std::size_t recipe : {4, 6, 8, 10, 21, 24}) {
        const MergePlan plan = plan_of(recipes_of_all_methods()[recipe], sources_);
        SCOPED_TRACE(recipes_of_all_methods()[recipe]);
        const std::vector<std::byte> expected = merged_by_cpu(plan, sources_);
        Device device = this->device({plan});
        Arena layout = arena_for(plan, sharding());
        int failures = 0;
        for (int failing = 1; failing < 400; failing = 2 * failing + 1) {
            int launches = 0;
            device.twin().before_launch = [&] {
                if (++launches == failing && is_last()) throw Error("a launch failed", "a test");
            };
            bool failed = false;
            try {
                device.merged(plan, layout, {});
            } catch (const Error& error) {
                failed = true;
                EXPECT_THAT(error.what(), HasSubstr("a launch failed (a test)"));
            }
            for (const char other : group_.all_gather_values<char>(failed))
                ASSERT_EQ(other, failed);
            failures += failed;
        }
        EXPECT_GE(failures, 2);
        device.twin().before_launch = nullptr;
        EXPECT_EQ(device.merged(plan, layout, {}), expected);
    }
}

/// A rank that has too little memory for a form says so for all.
TEST_F(DeviceParts, AFormThatOneRankDidNotPlanIsRefusedOnAll) {
    const MergePlan ties = plan_of(recipes_of_all_methods()[3], sources_);
    const MergePlan linear = plan_of(recipes_of_all_methods()[0], sources_);
    Device device = this->device({is_last() ? linear : ties});
    Arena layout = arena_for(ties, sharding());
    try {
        device.merged(ties, layout, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("its statistics take"));
    }
    EXPECT_EQ(device.merged(linear, layout, {}), merged_by_cpu(linear, sources_));
}

}  // namespace
}  // namespace galapagos
