// The GPU's kernels whose threads work together: real threads leave the bits that the twin leaves.
#include "model/device_threads.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "model/cuda/attend.hpp"
#include "model/cuda/attend_tiles.hpp"
#include "model/cuda/multiply_row.hpp"
#include "model/cuda/norm_rows.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/cuda/summarise_logits.hpp"
#include "model/device_values.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::random_values;

/// Runs a job by the twin and by threads; both must leave the same in its output.
template <typename Job, typename Element>
void expect_same(const Job& job, std::vector<Element>& output) {
    const std::vector<Element> before = output;
    test::run_on_host(job);
    const std::vector<Element> expected = output;
    output = before;
    test::run_on_threads(job);
    EXPECT_EQ(0, std::memcmp(output.data(), expected.data(), output.size() * sizeof(Element)));
    EXPECT_NE(0, std::memcmp(output.data(), before.data(), output.size() * sizeof(Element)));
}

TEST(DeviceThreads, MultipliesARow) {
    constexpr std::int64_t in = 1100, out = 19;
    const auto row = random_values<Bf16>(in, 1), weight = random_values<Bf16>(in * out, 2);
    std::vector<Bf16> output(out);
    const Linear<Bf16> layer{weight.data(), nullptr, out, in};
    const Product<Bf16> product{layer, output.data()};
    expect_same(MultiplyRow<Bf16>(row.data(), {&product, 1}), output);
}

TEST(DeviceThreads, Norm) {
    constexpr std::int64_t width = 3000;
    for (const NormKind kind : {NormKind::rms, NormKind::layer}) {
        auto stream = random_values<Bf16>(2 * width, 1, 3.0F);
        const auto weight = random_values<Bf16>(width, 2), bias = random_values<Bf16>(width, 3);
        NormRows<Bf16> job;
        job.residual = job.normed = stream.data();
        job.norm = {kind, weight.data(), bias.data(), 1e-5F};
        job.rows = 2;
        job.width = width;
        expect_same(job, stream);
    }
}

/// Three tokens of a model with heads of 40 elements, and a cache.
struct Heads {
    static constexpr int query_heads = 4, kv_heads = 2, dim = 40;
    static constexpr std::int64_t positions = 100, slab = positions * dim;

    CacheSlot<Bf16> slot() { return {keys.data(), values.data(), kv_heads * slab, slab}; }

    std::vector<Place> places{{0, 98}, {0, 99}, {1, 3}};
    std::vector<Bf16> keys = random_values<Bf16>(2 * kv_heads * slab, 4);
    std::vector<Bf16> values = random_values<Bf16>(2 * kv_heads * slab, 5);
    std::vector<Bf16> queries = random_values<Bf16>(3 * query_heads * dim, 6, 2.0F);
    std::vector<Bf16> output = std::vector<Bf16>(queries.size());
};

TEST(DeviceThreads, PlacesHeads) {
    Heads heads;
    const auto cosines = random_values<float>(heads.positions * 20, 7);
    const auto weight = random_values<Bf16>(heads.dim, 8);
    PlaceHeads<Bf16> job;
    job.query = {heads.queries.data(), heads.query_heads * heads.dim, heads.dim};
    job.key = job.value = job.query;
    job.queries = heads.queries.data();
    job.cache = heads.slot();
    job.places = heads.places.data();
    job.tokens = 3;
    job.query_heads = heads.query_heads;
    job.kv_heads = 0;
    job.head_dim = heads.dim;
    job.query_norm = {NormKind::rms, weight.data(), nullptr, 1e-5F};
    job.cosines = job.sines = cosines.data();
    job.rotary_dim = heads.dim;
    expect_same(job, heads.queries);
}

template <typename Job>
void describe(Heads& heads, Job& job) {
    job.queries = heads.queries.data();
    job.output = heads.output.data();
    job.cache = heads.slot();
    job.places = heads.places.data();
    job.tokens = 3;
    job.query_heads = heads.query_heads;
    job.kv_heads = heads.kv_heads;
    job.head_dim = heads.dim;
    job.scale = 0.2F;
}

TEST(DeviceThreads, Attends) {
    Heads heads;
    Attend<Bf16, 2> job;
    describe(heads, job);
    expect_same(job, heads.output);
}

TEST(DeviceThreads, AttendsInTiles) {
    Heads heads;
    const std::vector<TokenTile> tiles{{0, 2}};
    AttendTilesAt<64> job;
    describe(heads, job);
    job.tiles = tiles.data();
    job.tile_count = 1;
    job.query_heads = job.kv_heads = 1;  // products of tiles meet at many barriers
    job.window = 70;
    expect_same(job, heads.output);
}

TEST(DeviceThreads, SummarisesLogits) {
    const auto logits = random_values<Bf16>(2 * 5000, 9, 5.0F);
    const std::vector<LogitQuery> queries{{1, 17}, {0, -1}};
    std::vector<ShardSummary> summaries(2);
    SummariseLogits<Bf16> job;
    job.logits = logits.data();
    job.width = 5000;
    job.softcap = 5.0F;
    job.queries = queries.data();
    job.summaries = summaries.data();
    job.count = 2;
    expect_same(job, summaries);
}

}  // namespace
}  // namespace galapagos
