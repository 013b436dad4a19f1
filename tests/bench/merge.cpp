// Seconds that a candidate's merge takes once the sources are resident.
//
//   merge THREADS wall|cpu RECIPE...     recipes over model folders; prints {"recipe": seconds,
//   ...}
//
// The least of several merges into the same memory, bf16, after one that gathers the statistics.
// Under "copy": the seconds that copying takes, per byte read or written, with the same threads.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/parallel.hpp"
#include "merge/merger.hpp"

namespace galapagos {
namespace {

bool by_wall = true;

double least_seconds(const std::function<void()>& body) {
    constexpr int rounds = 15;
    body();
    double least = std::numeric_limits<double>::infinity();
    for (int round = 0; round < rounds; ++round) {
        const Stopwatch watch;
        const std::clock_t before = std::clock();
        body();
        const double busy = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
        least = std::min(least, by_wall ? watch.seconds() : busy);
    }
    return least;
}

double merge_seconds(const std::string& path) {
    const Recipe recipe = parse_recipe(path);
    const auto sources = open_sources(recipe);
    const MergePlan plan = make_plan(recipe, sources, index_sources(sources));
    std::vector<TensorSpec> specs;
    for (const TensorMerge& tensor : plan.tensors)
        specs.push_back({tensor.output_name, DType::bf16, tensor.shape});
    Arena arena(specs);
    Merger merger(sources, Sharding(), 1);
    return least_seconds([&] { merger.merge(plan, arena); });
}

double copy_seconds_a_byte() {
    constexpr std::int64_t bytes = std::int64_t{256} << 20;
    const std::vector<std::byte> source(bytes, std::byte{1});
    std::vector<std::byte> target(bytes);
    const double seconds = least_seconds([&] {
        parallel_for(0, bytes, std::int64_t{1} << 22, [&](std::int64_t first, std::int64_t last) {
            std::memcpy(target.data() + first, source.data() + first,
                        static_cast<std::size_t>(last - first));
        });
    });
    return seconds / (2.0 * bytes);
}

int run(int count, char** arguments) {
    set_thread_count(std::stoi(arguments[1]));
    by_wall = arguments[2] == std::string("wall");
    fmt::print("{{\"copy\": {:.6g}", copy_seconds_a_byte());
    for (int i = 3; i < count; ++i)
        fmt::print(", \"{}\": {:.6f}", arguments[i], merge_seconds(arguments[i]));
    fmt::print("}}\n");
    return 0;
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: merge THREADS wall|cpu RECIPE...\n");
        return 2;
    }
    try {
        return galapagos::run(argc, argv);
    } catch (const galapagos::Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
