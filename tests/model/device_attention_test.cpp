// The GPU's kernels around attention, run by their twin, against the CPU's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/cuda/attend.hpp"
#include "model/cuda/attend_tiles.hpp"
#include "model/cuda/join_stretches.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/device_twin.hpp"
#include "model/device_values.hpp"
#include "model/kv_cache.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::expect_near;
using test::plain_kernels;
using test::random_values;
using test::run_on_host;

/// Heads of a model, and where some tokens lie in its cache.
struct HeadCase {
    int query_heads, kv_heads, head_dim;
};
constexpr std::int64_t cache_rows = 3, max_tokens = 200;
const std::vector<Place> places{{1, 0}, {0, 4}, {2, 33}, {1, 150}, {0, 199}};
const auto tokens = static_cast<std::int64_t>(places.size());

template <typename T>
CacheSlot<T> slot_of(KvCache<T>& cache, const HeadCase& heads) {
    return {cache.keys(0, 0, 0), cache.values(0, 0, 0), heads.kv_heads * cache.head_stride(),
            cache.head_stride()};
}

template <typename T>
class DeviceAttention : public ::testing::Test {};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(DeviceAttention, ElementTypes);

/// Queries, keys and values as one product leaves them, or three.
enum class Layout { separate, blocks, per_head };

/// What PlaceHeads does, by the CPU's kernels.
template <typename T>
class PlacedByCpu {
  public:
    PlacedByCpu(const PlaceHeads<T>& job, KvCache<T>& cache)
        : job_(job), queries(static_cast<std::size_t>(tokens * job.query_heads * job.head_dim)) {
        for (std::int64_t token = 0; token < tokens; ++token) {
            const Place place = places[static_cast<std::size_t>(token)];
            for (int head = 0; head < job.query_heads; ++head)
                move(job.query, token, head, job.query_norm, true,
                     queries.data() + (token * job.query_heads + head) * job.head_dim);
            for (int head = 0; head < job.kv_heads; ++head) {
                const std::int64_t at = std::int64_t{place.position} * job.head_dim;
                move(job.key, token, head, job.key_norm, true, cache.keys(0, place.row, head) + at);
                move(job.value, token, head, {}, false, cache.values(0, place.row, head) + at);
            }
        }
    }

  private:
    void move(const HeadSource<T>& source, std::int64_t token, int head, const Norm<T>& norm,
              bool rotates, T* target) {
        const RowKernels<T>& kernels = plain_kernels<T>();
        const std::int64_t dim = job_.head_dim;
        std::copy_n(source.data + token * source.token_stride + head * source.head_stride, dim,
                    target);
        if (norm.weight != nullptr) kernels.add_norm(target, nullptr, norm, target, dim);
        const std::int64_t angles =
            places[static_cast<std::size_t>(token)].position * (job_.rotary_dim / 2);
        if (rotates && job_.cosines != nullptr)
            kernels.rotate(target, 1, dim, job_.rotary_dim, job_.cosines + angles,
                           job_.sines + angles);
    }

    const PlaceHeads<T>& job_;

  public:
    std::vector<T> queries;
};

template <typename T>
std::vector<T> contents(KvCache<T>& cache, const HeadCase& heads) {
    const std::int64_t size = cache_rows * heads.kv_heads * max_tokens * heads.head_dim;
    std::vector<T> all(cache.keys(0, 0, 0), cache.keys(0, 0, 0) + size);
    all.insert(all.end(), cache.values(0, 0, 0), cache.values(0, 0, 0) + size);
    return all;
}

template <typename T>
KvCache<T> empty_cache(const HeadCase& heads) {
    KvCache<T> cache(1, cache_rows, heads.kv_heads, max_tokens, heads.head_dim);
    const std::int64_t size = cache_rows * heads.kv_heads * max_tokens * heads.head_dim;
    std::fill_n(cache.keys(0, 0, 0), size, T{});
    std::fill_n(cache.values(0, 0, 0), size, T{});
    return cache;
}

template <typename T>
void check_placing(const HeadCase& heads, Layout layout, bool normed, int rotary_dim) {
    const std::int64_t dim = heads.head_dim;
    const std::int64_t query = heads.query_heads * dim, kv = heads.kv_heads * dim;
    const auto fused = random_values<T>(tokens * (query + 2 * kv), 1);
    const auto query_weight = random_values<T>(dim, 2), key_weight = random_values<T>(dim, 3);
    const auto cosines = random_values<float>(max_tokens * rotary_dim, 4);
    const auto sines = random_values<float>(max_tokens * rotary_dim, 5);
    std::vector<T> queries(static_cast<std::size_t>(tokens * query));
    KvCache<T> cache = empty_cache<T>(heads), expected_cache = empty_cache<T>(heads);

    PlaceHeads<T> job;
    const T* data = fused.data();
    if (layout == Layout::separate) {
        job.query = {data, query, dim};
        job.key = {data + tokens * query, kv, dim};
        job.value = {data + tokens * (query + kv), kv, dim};
    } else if (layout == Layout::blocks) {
        job.query = {data, query + 2 * kv, dim};
        job.key = {data + query, query + 2 * kv, dim};
        job.value = {data + query + kv, query + 2 * kv, dim};
    } else {
        job.query = {data, query + 2 * kv, 3 * dim};
        job.key = {data + dim, query + 2 * kv, 3 * dim};
        job.value = {data + 2 * dim, query + 2 * kv, 3 * dim};
    }
    job.queries = queries.data();
    job.cache = slot_of(cache, heads);
    job.places = places.data();
    job.tokens = tokens;
    job.query_heads = heads.query_heads;
    job.kv_heads = heads.kv_heads;
    job.head_dim = heads.head_dim;
    if (normed) {
        job.query_norm = {NormKind::rms, query_weight.data(), nullptr, 1e-6F};
        job.key_norm = {NormKind::rms_plus_one, key_weight.data(), nullptr, 1e-6F};
    }
    job.cosines = rotary_dim > 0 ? cosines.data() : nullptr;
    job.sines = sines.data();
    job.rotary_dim = rotary_dim;

    const PlacedByCpu<T> expected(job, expected_cache);
    for (const test::ThreadOrder order : test::thread_orders) {
        run_on_host(job, order);
        if (normed) {
            expect_near(queries, expected.queries, 4, 1e-5);
            expect_near(contents(cache, heads), contents(expected_cache, heads), 4, 1e-5);
        } else {
            EXPECT_EQ(queries, expected.queries);
            EXPECT_EQ(contents(cache, heads), contents(expected_cache, heads));
        }
    }
}

TYPED_TEST(DeviceAttention, HeadsGoWhereTheCpuPutsThem) {
    using T = TypeParam;
    check_placing<T>({4, 2, 16}, Layout::separate, false, 16);
    check_placing<T>({4, 4, 12}, Layout::per_head, false, 4);
    check_placing<T>({9, 3, 6}, Layout::blocks, false, 6);
    check_placing<T>({3, 1, 128}, Layout::separate, true, 128);
    check_placing<T>({2, 2, 256}, Layout::blocks, true, 0);
    check_placing<T>({2, 1, 520}, Layout::separate, false, 130);
}

TYPED_TEST(DeviceAttention, QueriesMayStayWhereTheyAre) {
    using T = TypeParam;
    const auto cosines = random_values<float>(max_tokens * 8, 4);
    const auto data = random_values<T>(tokens * 4 * 16, 1);
    std::vector<T> in_place = data, apart(data.size());
    KvCache<T> cache = empty_cache<T>({4, 1, 16});
    PlaceHeads<T> job;
    job.query = {in_place.data(), 64, 16};
    job.key = job.value = {data.data(), 16, 16};
    job.queries = in_place.data();
    job.cache = slot_of(cache, {4, 1, 16});
    job.places = places.data();
    job.tokens = tokens;
    job.query_heads = 4;
    job.kv_heads = 1;
    job.head_dim = 16;
    job.cosines = job.sines = cosines.data();
    job.rotary_dim = 16;
    run_on_host(job, test::ThreadOrder::interleaved);
    job.query.data = data.data();
    job.queries = apart.data();
    run_on_host(job);
    EXPECT_EQ(in_place, apart);
}

/// Attention of every token by the CPU's kernel for one token.
template <typename T>
std::vector<T> attended_by_cpu(const AttendTokens<T>& job, KvCache<T>& cache,
                               const std::vector<Place>& spots) {
    const auto count = static_cast<std::int64_t>(spots.size());
    std::vector<T> output(static_cast<std::size_t>(count * job.query_heads * job.head_dim));
    std::vector<float> scratch(
        static_cast<std::size_t>(job.group() * (max_tokens + 2 * job.head_dim)));
    for (std::int64_t token = 0; token < count; ++token) {
        const Place place = spots[static_cast<std::size_t>(token)];
        const std::int64_t length = place.position + 1;
        const std::int64_t first = job.window > 0 && length > job.window ? length - job.window : 0;
        for (int head = 0; head < job.kv_heads; ++head) {
            const std::int64_t at = (token * job.query_heads + head * job.group()) * job.head_dim;
            plain_kernels<T>().attend(
                job.queries + at, cache.keys(0, place.row, head) + first * job.head_dim,
                cache.values(0, place.row, head) + first * job.head_dim, output.data() + at,
                scratch.data(),
                {job.group(), length - first, job.head_dim, job.scale, job.softcap});
        }
    }
    return output;
}

template <typename T, int together>
void check_attention(const HeadCase& heads, std::int64_t window, float softcap) {
    SCOPED_TRACE(testing::Message() << heads.query_heads << " heads of " << heads.head_dim);
    KvCache<T> cache = empty_cache<T>(heads);
    const std::int64_t size = cache_rows * heads.kv_heads * max_tokens * heads.head_dim;
    const auto keys = random_values<T>(size, 8), values = random_values<T>(size, 9);
    std::copy(keys.begin(), keys.end(), cache.keys(0, 0, 0));
    std::copy(values.begin(), values.end(), cache.values(0, 0, 0));
    const auto queries = random_values<T>(tokens * heads.query_heads * heads.head_dim, 7, 2.0F);
    std::vector<T> output(queries.size()), first;
    Attend<T, together> job;
    job.queries = queries.data();
    job.output = output.data();
    job.cache = slot_of(cache, heads);
    job.places = places.data();
    job.tokens = tokens;
    job.query_heads = heads.query_heads;
    job.kv_heads = heads.kv_heads;
    job.head_dim = heads.head_dim;
    job.scale = 1 / std::sqrt(static_cast<float>(heads.head_dim));
    job.window = window;
    job.softcap = softcap;
    const auto expected = attended_by_cpu<T>(job, cache, places);
    for (const test::ThreadOrder order : test::thread_orders) {
        std::fill(output.begin(), output.end(), T{});
        run_on_host(job, order);
        expect_near(output, expected, 1, 2e-6);
        if (first.empty()) first = output;
        EXPECT_EQ(output, first);
    }
}

TYPED_TEST(DeviceAttention, AttendsAsTheCpuDoes) {
    using T = TypeParam;
    check_attention<T, 1>({2, 2, 64}, 0, 0);
    check_attention<T, 2>({4, 2, 128}, 0, 0);
    check_attention<T, 4>({9, 3, 6}, 0, 0);
    check_attention<T, 4>({4, 1, 12}, 37, 0);
    check_attention<T, 8>({14, 2, 80}, 0, 3.0F);
    check_attention<T, 8>({20, 2, 16}, 70, 4.0F);  // ten heads of a group in two blocks
    check_attention<T, 8>({8, 1, 256}, 0, 0);
    check_attention<T, 4>({4, 1, 512}, 64, 0);
}

/// Rows whose positions several blocks share out.
template <typename T, int together>
void check_stretches(const HeadCase& heads, std::int64_t window, std::int64_t length) {
    KvCache<T> cache = empty_cache<T>(heads);
    const std::int64_t size = cache_rows * heads.kv_heads * max_tokens * heads.head_dim;
    const auto keys = random_values<T>(size, 8), values = random_values<T>(size, 9);
    std::copy(keys.begin(), keys.end(), cache.keys(0, 0, 0));
    std::copy(values.begin(), values.end(), cache.values(0, 0, 0));
    const std::int64_t width = heads.query_heads * heads.head_dim;
    const auto queries = random_values<T>(tokens * width, 7, 2.0F);
    std::vector<T> output(queries.size()), alone(queries.size());
    Attend<T, together> job;
    job.queries = queries.data();
    job.output = alone.data();
    job.cache = slot_of(cache, heads);
    job.places = places.data();
    job.first_token = 1;
    job.tokens = tokens - 1;
    job.query_heads = heads.query_heads;
    job.kv_heads = heads.kv_heads;
    job.head_dim = heads.head_dim;
    job.scale = 0.3F;
    job.window = window;
    run_on_host(job);

    job.output = output.data();
    job.stretches.length = length;
    job.stretches.count = static_cast<int>((max_tokens + length - 1) / length);
    const float rubbish = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> sums(static_cast<std::size_t>(tokens * width * job.stretches.count),
                            rubbish);
    std::vector<float> maxima(sums.size(), rubbish), normalisers(sums.size(), rubbish);
    job.stretches.sums = sums.data();
    job.stretches.maxima = maxima.data();
    job.stretches.normalisers = normalisers.data();
    run_on_host(job, test::ThreadOrder::interleaved);
    run_on_host(JoinStretches<T>(job));
    expect_near(output, alone, 1, 2e-6);
    for (std::int64_t token = 1; token < tokens; ++token) {
        const std::int64_t seen = places[static_cast<std::size_t>(token)].position + 1;
        if (std::min(seen, window == 0 ? seen : window) > length) continue;
        // One stretch: the bits are the same.
        for (std::int64_t i = token * width; i < (token + 1) * width; ++i)
            ASSERT_EQ(output[static_cast<std::size_t>(i)], alone[static_cast<std::size_t>(i)]);
    }
}

TYPED_TEST(DeviceAttention, LongRowsAreSharedOut) {
    using T = TypeParam;
    check_stretches<T, 2>({4, 2, 64}, 0, 64);
    check_stretches<T, 4>({4, 1, 12}, 130, 64);
    check_stretches<T, 8>({20, 2, 16}, 0, 32);
    check_stretches<T, 1>({2, 2, 6}, 50, 100);
}

/// Segments of several tokens against the CPU's kernel for one token.
void check_tiles(const HeadCase& heads, std::int64_t window, float softcap) {
    SCOPED_TRACE(testing::Message() << heads.query_heads << " heads of " << heads.head_dim);
    KvCache<Bf16> cache = empty_cache<Bf16>(heads);
    const std::int64_t size = cache_rows * heads.kv_heads * max_tokens * heads.head_dim;
    const auto keys = random_values<Bf16>(size, 8), values = random_values<Bf16>(size, 9);
    std::copy(keys.begin(), keys.end(), cache.keys(0, 0, 0));
    std::copy(values.begin(), values.end(), cache.values(0, 0, 0));
    // A tile of one token, a whole one that begins a row, and two of one segment further on.
    const std::vector<TokenTile> tiles{{0, 1}, {1, 64}, {65, 64}, {129, 37}};
    std::vector<Place> spots{{1, 33}};
    for (int i = 0; i < 64; ++i) spots.push_back({0, i});
    for (int i = 0; i < 101; ++i) spots.push_back({2, 91 + i});
    const auto count = static_cast<std::int64_t>(spots.size());
    const auto queries = random_values<Bf16>(count * heads.query_heads * heads.head_dim, 7, 2.0F);
    std::vector<Bf16> output(queries.size()), first;
    AttendTiles job;
    job.queries = queries.data();
    job.output = output.data();
    job.cache = slot_of(cache, heads);
    job.places = spots.data();
    job.query_heads = heads.query_heads;
    job.kv_heads = heads.kv_heads;
    job.head_dim = heads.head_dim;
    job.scale = 1 / std::sqrt(static_cast<float>(heads.head_dim));
    job.window = window;
    job.softcap = softcap;
    job.tiles = tiles.data();
    job.tile_count = static_cast<std::int64_t>(tiles.size());
    const auto expected = attended_by_cpu<Bf16>(job, cache, spots);
    for (const test::ThreadOrder order : test::thread_orders) {
        std::fill(output.begin(), output.end(), Bf16{});
        with_width(job, [&](const auto& attend) { run_on_host(attend, order); });
        // Weights are rounded to bf16, sums are not.
        expect_near(output, expected, 1, 0.02);
        if (first.empty()) first = output;
        EXPECT_EQ(output, first);
    }
}

TEST(DeviceTiles, AttendAsTheCpuDoes) {
    check_tiles({2, 2, 64}, 0, 0);
    check_tiles({4, 1, 128}, 0, 0);
    check_tiles({3, 1, 6}, 0, 0);
    check_tiles({2, 1, 80}, 37, 0);
    check_tiles({2, 1, 12}, 5, 3.0F);
}

TEST(DeviceTiles, KeepWhatOneKeyDecides) {
    // Scores so far apart that a token sees its best key alone: the answer is that key's value.
    constexpr std::int64_t length = 70;
    const HeadCase heads{1, 1, 64};
    KvCache<Bf16> cache = empty_cache<Bf16>(heads);
    const auto values = random_values<Bf16>(length * 64, 9);
    std::copy(values.begin(), values.end(), cache.values(0, 0, 0));
    std::vector<Bf16> queries(length * 64), output(length * 64);
    std::vector<Place> spots;
    for (std::int64_t i = 0; i < length; ++i) {
        // Key i points along axis i % 64; token i asks for key i / 2.
        cache.keys(0, 0, 0)[i * 64 + i % 64] = narrow<Bf16>(16.0F);
        queries[static_cast<std::size_t>(i * 64 + i / 2)] = narrow<Bf16>(64.0F);
        spots.push_back({0, static_cast<std::int32_t>(i)});
    }
    const std::vector<TokenTile> tiles{{0, 64}, {64, 6}};
    AttendTiles job;
    job.queries = queries.data();
    job.output = output.data();
    job.cache = slot_of(cache, heads);
    job.places = spots.data();
    job.query_heads = job.kv_heads = 1;
    job.head_dim = 64;
    job.tiles = tiles.data();
    job.tile_count = 2;
    with_width(job, [](const auto& attend) { run_on_host(attend); });
    for (std::int64_t i = 0; i < length; ++i)
        for (std::int64_t d = 0; d < 64; ++d)
            ASSERT_EQ(output[static_cast<std::size_t>(i * 64 + d)],
                      values[static_cast<std::size_t>(i / 2 * 64 + d)])
                << "token " << i << ", element " << d;
}

}  // namespace
}  // namespace galapagos
