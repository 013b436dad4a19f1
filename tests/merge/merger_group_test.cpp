// Ranks that share out the statistics: the bits of a rank that works alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "comm/tensor_group.hpp"
#include "merge/merge_fixtures.hpp"
#include "merge/merge_recipes.hpp"

namespace galapagos {
namespace {

using namespace test;

TEST(MergerGroup, BitsDoNotDependOnWhoComputesTheStatistics) {
    TinyModelOptions options;
    options.heads = 4;
    options.kv_heads = 2;
    options.dtype = DType::bf16;
    TemporaryFolder folder;  // each rank makes its own copy: the same bytes
    const Sources sources = tiny_sources(folder, {"base", "a", "b"}, options);
    TensorGroup group{Communicator::world()};
    const Sharding sharding(sources[0]->config(), group.size(), group.rank());
    std::vector<TensorSpec> specs;
    for (const TensorSpec& spec : tiny_tensors(options))
        specs.push_back({spec.name, spec.dtype, sharding.local_shape(spec.name, spec.shape)});
    Arena shared(specs), alone(specs);
    Merger together(sources, sharding, 3, &group), single(sources, sharding, 3);
    for (int round = 0; round < 2; ++round) {
        for (const std::string& yaml : recipes_of_all_methods()) {
            const MergePlan plan = plan_of(yaml, sources);
            together.merge(plan, shared);
            single.merge(plan, alone);
            EXPECT_TRUE(
                std::equal(shared.span().begin(), shared.span().end(), alone.span().begin()))
                << yaml;
        }
    }
    if (group.size() > 1) {
        EXPECT_LT(together.statistics_bytes(), single.statistics_bytes());
    }
}

}  // namespace
}  // namespace galapagos
