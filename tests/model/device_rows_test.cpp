// The GPU's kernels for rows, run by their twin, against the CPU's row kernels.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "model/cuda/experts.hpp"
#include "model/cuda/multiply_row.hpp"
#include "model/cuda/norm_rows.hpp"
#include "model/cuda/row_jobs.hpp"
#include "model/cuda/rows_of_experts.hpp"
#include "model/device_twin.hpp"
#include "model/device_values.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::expect_near;
using test::plain_kernels;
using test::random_values;
using test::run_on_host;

template <typename T>
class DeviceRows : public ::testing::Test {};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(DeviceRows, ElementTypes);

constexpr std::int64_t rows = 3;

/// Three products of a row of `in` elements that begins at an odd address if so asked.
template <typename T>
void check_multiply_row(std::int64_t in, bool shifted) {
    constexpr std::int64_t outs[] = {21, 8, 1};
    const auto input = random_values<T>(in + 1, 1);
    const T* const row = input.data() + (shifted ? 1 : 0);
    std::vector<std::vector<T>> weights, biases, outputs;
    std::vector<Linear<T>> layers;
    std::vector<Product<T>> products;
    for (const std::int64_t out : outs) {
        const auto seed = static_cast<unsigned>(out);
        weights.push_back(random_values<T>(out * in, seed));
        biases.push_back(random_values<T>(out, seed + 1));
        outputs.emplace_back(out);
    }
    for (std::size_t i = 0; i < 3; ++i)
        layers.push_back({weights[i].data(), i == 1 ? nullptr : biases[i].data(), outs[i], in});
    for (std::size_t i = 0; i < 3; ++i) products.push_back({layers[i], outputs[i].data()});
    ASSERT_TRUE(MultiplyRow<T>::takes(1, products));
    EXPECT_FALSE(MultiplyRow<T>::takes(2, products));

    std::vector<std::vector<T>> first;
    for (const test::ThreadOrder order : test::thread_orders) {
        run_on_host(MultiplyRow<T>(row, products), order);
        if (first.empty()) first = outputs;
        EXPECT_EQ(outputs, first);
        for (auto& output : outputs) std::fill(output.begin(), output.end(), T{});
    }
    for (std::size_t i = 0; i < 3; ++i)
        for (std::int64_t o = 0; o < outs[i]; ++o) {
            double sum = i == 1 ? 0 : widen(biases[i][static_cast<std::size_t>(o)]), size = 1;
            for (std::int64_t k = 0; k < in; ++k) {
                const double term = static_cast<double>(widen(row[k])) *
                                    widen(weights[i][static_cast<std::size_t>(o * in + k)]);
                sum += term;
                size += std::abs(term);
            }
            EXPECT_NEAR(widen(first[i][static_cast<std::size_t>(o)]), sum,
                        size * 0x1p-22 + std::abs(sum) * test::half_ulp<T>())
                << "product " << i << ", output " << o;
        }
}

TYPED_TEST(DeviceRows, SingleRowsAreMultiplied) {
    for (const std::int64_t in : {1, 37, 40, 264, 1024, 5000})
        for (const bool shifted : {false, true}) {
            SCOPED_TRACE(in);
            check_multiply_row<TypeParam>(in, shifted);
        }
}

/// A stream, what is added to it, and a norm.
template <typename T>
struct NormCase {
    NormCase(std::int64_t width, NormKind kind)
        : width(width),
          stream(random_values<T>(rows * width, 1, 3.0F)),
          delta(random_values<T>(rows * width, 2)),
          weight(random_values<T>(width, 3)),
          bias(random_values<T>(width, 4)),
          normed(stream.size()),
          norm{kind, weight.data(), kind == NormKind::layer ? bias.data() : nullptr, 1e-5F} {}

    NormRows<T> job(const T* added) {
        NormRows<T> job;
        job.residual = stream.data();
        job.delta = added;
        job.normed = normed.data();
        job.norm = norm;
        job.rows = rows;
        job.width = width;
        return job;
    }
    /// The same by the CPU's kernels.
    void run_on_cpu(T* added, float scale = 1, Scaled scaled = Scaled::nothing) {
        const RowKernels<T>& kernels = plain_kernels<T>();
        for (std::int64_t row = 0; row < rows; ++row) {
            T* state = stream.data() + row * width;
            T* more = added == nullptr ? nullptr : added + row * width;
            if (scaled == Scaled::stream && more != nullptr) kernels.add(state, more, state, width);
            if (scaled != Scaled::nothing)
                kernels.scale(scaled == Scaled::delta ? more : state, width, scale);
            kernels.add_norm(state, scaled == Scaled::stream ? nullptr : more, norm,
                             normed.data() + row * width, width);
        }
    }

    std::int64_t width;
    std::vector<T> stream, delta, weight, bias, normed;
    Norm<T> norm;
};

constexpr NormKind norm_kinds[] = {NormKind::rms, NormKind::rms_plus_one, NormKind::layer};

TYPED_TEST(DeviceRows, NormsAndSums) {
    using T = TypeParam;
    for (const NormKind kind : norm_kinds)
        for (const std::int64_t width : {1, 7, 8, 100, 2048, 5003}) {
            SCOPED_TRACE(width);
            NormCase<T> expected(width, kind);
            expected.run_on_cpu(expected.delta.data());
            std::vector<T> first;
            for (const test::ThreadOrder order : test::thread_orders) {
                NormCase<T> twin(width, kind);
                run_on_host(twin.job(twin.delta.data()), order);
                EXPECT_EQ(twin.stream, expected.stream);
                expect_near(twin.normed, expected.normed, 2, 4e-6);
                if (first.empty()) first = twin.normed;
                EXPECT_EQ(twin.normed, first);
            }
        }
}

TYPED_TEST(DeviceRows, NormsWithoutASumAndInPlace) {
    using T = TypeParam;
    for (const NormKind kind : norm_kinds) {
        NormCase<T> expected(100, kind), twin(100, kind), in_place(100, kind);
        expected.run_on_cpu(nullptr);
        run_on_host(twin.job(nullptr));
        EXPECT_EQ(twin.stream, expected.stream);
        expect_near(twin.normed, expected.normed, 2, 4e-6);
        NormRows<T> job = in_place.job(nullptr);
        job.normed = job.residual;
        run_on_host(job);
        EXPECT_EQ(in_place.stream, twin.normed);
    }
}

TYPED_TEST(DeviceRows, ScalesOfLayerPaths) {
    using T = TypeParam;
    for (const Scaled scaled : {Scaled::delta, Scaled::stream}) {
        NormCase<T> expected(100, NormKind::rms), twin(100, NormKind::rms);
        expected.run_on_cpu(expected.delta.data(), 0.7F, scaled);
        NormRows<T> job = twin.job(twin.delta.data());
        job.scaled = scaled;
        job.scale = 0.7F;
        run_on_host(job);
        EXPECT_EQ(twin.stream, expected.stream);
        expect_near(twin.normed, expected.normed, 2, 4e-6);
    }
    NormCase<T> expected(100, NormKind::rms), twin(100, NormKind::rms);
    expected.run_on_cpu(nullptr, 0.7F, Scaled::stream);
    NormRows<T> job = twin.job(nullptr);
    job.scaled = Scaled::stream;
    job.scale = 0.7F;
    run_on_host(job);
    EXPECT_EQ(twin.stream, expected.stream);
}

TYPED_TEST(DeviceRows, ActivationsHaveTheBitsOfTheCpu) {
    using T = TypeParam;
    for (const Activation kind : {Activation::silu, Activation::gelu, Activation::gelu_tanh})
        for (const bool gated : {false, true})
            for (const std::int64_t width : {5, 64, 203}) {
                std::vector<T> expected = random_values<T>(rows * width, 5, 12.0F);
                std::vector<T> twin = expected;
                const std::vector<T> up = random_values<T>(rows * width, 6);
                plain_kernels<T>().activate(kind, expected.data(), gated ? up.data() : nullptr,
                                            rows * width);
                Activate<T> job;
                job.rows = rows;
                job.width = width;
                job.activation = kind;
                job.gate = twin.data();
                job.up = gated ? up.data() : nullptr;
                run_on_host(job);
                EXPECT_EQ(twin, expected);
            }
}

TYPED_TEST(DeviceRows, SumsHaveTheBitsOfTheCpu) {
    using T = TypeParam;
    const std::int64_t width = 77, count = rows * width;
    const std::vector<T> a = random_values<T>(count, 1), b = random_values<T>(count, 2);
    const std::vector<T> bias = random_values<T>(width, 3);
    constexpr int ranks = 4;
    std::vector<float> shares = random_values<float>(ranks * count, 4);
    for (std::size_t i = 0; i < shares.size(); ++i)
        if (i % 3 == 0) shares[i] *= 1e7F;  // so that the order of the sums shows
    std::vector<T> expected(a.size()), twin(a.size());

    plain_kernels<T>().add(a.data(), b.data(), expected.data(), count);
    AddRows<T> add{{rows, width}, a.data(), b.data(), twin.data()};
    run_on_host(add);
    EXPECT_EQ(twin, expected);

    std::vector<float> sums(shares.begin(), shares.begin() + count);
    for (int summed = 1; summed <= ranks; ++summed) {
        for (const T* added : {bias.data(), static_cast<const T*>(nullptr)}) {
            for (std::int64_t row = 0; row < rows; ++row)
                plain_kernels<T>().round_sum(sums.data() + row * width, added,
                                             expected.data() + row * width, width);
            run_on_host(
                RoundSums<T>{{rows, width}, {shares.data(), summed, count}, added, twin.data()});
            EXPECT_EQ(twin, expected);
        }
        for (std::int64_t i = 0; summed < ranks && i < count; ++i)
            sums[static_cast<std::size_t>(i)] +=
                shares[static_cast<std::size_t>(summed * count + i)];
    }

    const std::vector<std::int32_t> sources{2, 0, 2};
    run_on_host(GatherRows<T>{{rows, width}, a.data(), sources.data(), twin.data()});
    for (std::size_t row = 0; row < sources.size(); ++row)
        EXPECT_EQ(std::memcmp(twin.data() + row * width, a.data() + sources[row] * width,
                              width * sizeof(T)),
                  0);
}

TYPED_TEST(DeviceRows, EmbedsAsTheCpuDoes) {
    using T = TypeParam;
    const RowKernels<T>& kernels = plain_kernels<T>();
    const std::int64_t width = 44, ids = 10;
    const std::vector<T> table = random_values<T>(ids * width, 1);
    const std::vector<T> positions = random_values<T>(9 * width, 2);
    const std::vector<std::int32_t> tokens{4, 0, 9};
    const std::vector<Place> places{{0, 3}, {1, 8}, {0, 0}};
    for (const float scale : {1.0F, 6.6332F})
        for (const bool learned : {false, true}) {
            std::vector<T> expected(rows * width), alone(rows * width), shared(rows * width);
            for (std::size_t row = 0; row < rows; ++row) {
                T* state = expected.data() + row * width;
                std::copy_n(table.data() + tokens[row] * width, width, state);
                if (scale != 1) kernels.scale(state, width, scale);
                if (learned)
                    kernels.add(state, positions.data() + places[row].position * width, state,
                                width);
            }
            EmbedTokens<T> job;
            job.rows = rows;
            job.width = width;
            job.tokens = tokens.data();
            job.table = table.data();
            job.ids = ids;
            job.scale = scale;
            job.positions = learned ? positions.data() : nullptr;
            job.places = places.data();
            job.stream = alone.data();
            run_on_host(job);
            EXPECT_EQ(alone, expected);

            // Two ranks with five ids each: their shares, the sum, and the rest.
            std::vector<float> shares(2 * rows * width);
            for (const std::int64_t first : {0, 5}) {
                job.first_id = first;
                job.ids = 5;
                job.table = table.data() + first * width;
                job.own_share = shares.data() + first / 5 * rows * width;
                run_on_host(job);
            }
            job.own_share = nullptr;
            job.shares = {shares.data(), 2, rows * width};
            job.stream = shared.data();
            run_on_host(job);
            EXPECT_EQ(shared, expected);
        }
}

TYPED_TEST(DeviceRows, ChoosesExpertsAndAddsTheirAnswers) {
    using T = TypeParam;
    constexpr int experts = 6, chosen = 2;
    std::vector<T> logits = random_values<T>(rows * experts, 7, 2.0F);
    logits[0] = logits[3] = logits[5] = narrow<T>(9.0F);  // the lowest two of three equals win
    std::vector<float> weights(rows * experts);
    ChooseExperts<T> choose;
    choose.logits = logits.data();
    choose.weights = weights.data();
    choose.rows = rows;
    choose.experts = experts;
    choose.chosen = chosen;
    run_on_host(choose);
    EXPECT_EQ(weights[0], 0.5F);
    EXPECT_EQ(weights[3], 0.5F);
    for (std::size_t row = 0; row < rows; ++row) {
        const float* own = weights.data() + row * experts;
        float sum = 0, least_chosen = 99, most_left = -99;
        for (std::size_t e = 0; e < experts; ++e) {
            const float logit = widen(logits[row * experts + e]);
            if (own[e] == not_chosen) {
                most_left = std::max(most_left, logit);
                continue;
            }
            sum += own[e];
            least_chosen = std::min(least_chosen, logit);
        }
        EXPECT_NEAR(sum, 1, 1e-6);
        EXPECT_GE(least_chosen, most_left);
        EXPECT_EQ(std::count(own, own + experts, not_chosen), experts - chosen);
    }

    const std::int64_t width = 21;
    std::vector<float> sums(rows * width, 99.0F), sorted(rows * width, 99.0F),
        expected(rows * width);
    for (float* each : {sums.data(), sorted.data()}) run_on_host(ClearSums{{rows, width}, each});
    RowsOfExperts rows_of_experts;
    rows_of_experts.sort(weights, experts);
    EXPECT_EQ(rows_of_experts.all().size(), std::size_t{rows * chosen});
    for (int expert = 0; expert < experts; ++expert) {
        const auto answers = random_values<float>(rows * width, 20 + static_cast<unsigned>(expert));
        AddExpert add;
        add.rows = rows;
        add.width = width;
        add.answers = answers.data();
        add.weights = weights.data();
        add.expert = expert;
        add.experts = experts;
        add.sums = sums.data();
        run_on_host(add);
        // The answers of those that chose the expert, alone.
        const auto places =
            rows_of_experts.all().subspan(static_cast<std::size_t>(rows_of_experts.first(expert)),
                                          static_cast<std::size_t>(rows_of_experts.count(expert)));
        std::vector<float> theirs;
        for (const std::int32_t place : places)
            theirs.insert(theirs.end(), answers.begin() + place * width,
                          answers.begin() + (place + 1) * width);
        add.rows = rows_of_experts.count(expert);
        add.answers = theirs.data();
        add.places = places.data();
        add.sums = sorted.data();
        run_on_host(add);
        for (std::int64_t row = 0; row < rows; ++row) {
            const float weight = weights[static_cast<std::size_t>(row * experts + expert)];
            if (weight != not_chosen)
                plain_kernels<float>().add_scaled(answers.data() + row * width, weight,
                                                  expected.data() + row * width, width);
        }
    }
    EXPECT_EQ(sums, expected);
    EXPECT_EQ(sorted, expected);
}

}  // namespace
}  // namespace galapagos
