// Seconds that a candidate's merge takes once the sources are resident.
//
//   merge RECIPE...     recipes over model folders; prints {"recipe": seconds, ...}
//
// The median of several merges into the same memory, bf16, after one that gathers the statistics.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "merge/merger.hpp"

namespace galapagos {
namespace {

double median_seconds(const std::string& path) {
    constexpr int rounds = 9;
    const Recipe recipe = parse_recipe(path);
    const auto sources = open_sources(recipe);
    const MergePlan plan = make_plan(recipe, sources, index_sources(sources));
    std::vector<TensorSpec> specs;
    for (const TensorMerge& tensor : plan.tensors)
        specs.push_back({tensor.output_name, DType::bf16, tensor.shape});
    Arena arena(specs);
    Merger merger(sources, Sharding(), 1);
    merger.merge(plan, arena);
    std::vector<double> seconds;
    for (int round = 0; round < rounds; ++round) {
        const Stopwatch watch;
        merger.merge(plan, arena);
        seconds.push_back(watch.seconds());
    }
    std::nth_element(seconds.begin(), seconds.begin() + rounds / 2, seconds.end());
    return seconds[rounds / 2];
}

int run(int count, char** recipes) {
    fmt::print("{{");
    for (int i = 1; i < count; ++i)
        fmt::print("{}\"{}\": {:.6f}", i > 1 ? ", " : "", recipes[i], median_seconds(recipes[i]));
    fmt::print("}}\n");
    return 0;
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    try {
        return galapagos::run(argc, argv);
    } catch (const galapagos::Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
