// The GPU's pass, its kernels run by their twin, against the CPU's on a tiny model of every
// architecture. Runs under mpirun with 1 and 2 ranks: the tensor-parallel width.
#include "model/cuda/device_pass.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "comm/communicator.hpp"
#include "model/cuda/beside_pass.hpp"
#include "model/cuda/device_weights.hpp"
#include "model/cuda/pass_bytes.hpp"
#include "model/decoder.hpp"
#include "model/device_models.hpp"
#include "model/host_work.hpp"

namespace galapagos {
namespace {

using test::DeviceModel;
using test::DrawnModel;
using Ids = std::vector<std::int32_t>;

constexpr std::int64_t vocabulary = 67;

DecoderOptions options_of(DType dtype) {
    DecoderOptions options;
    options.dtype = dtype;
    options.max_batch = 3;
    options.max_tokens = 48;
    options.batch_tokens = 32;
    options.max_hops = 8;
    return options;
}

Ids random_ids(int count, unsigned seed) {
    RandomStream stream(seed, 0, Purpose::test, 0);
    Ids ids(static_cast<std::size_t>(count));
    for (std::int32_t& id : ids)
        id = static_cast<std::int32_t>(std::abs(stream.normal()) * 1000) % vocabulary;
    return ids;
}

/// Of logits, relative to the largest, and of log probabilities.
template <typename T>
constexpr double tolerance = std::is_same_v<T, float> ? 1e-4 : 0.06;

/// Both passes over one arena; whatever is asked of one is asked of the other.
template <typename T>
class BothPasses {
  public:
    BothPasses(const DeviceModel& model, TensorGroup& group)
        : BothPasses(model, group, options_of(DType::f32)) {}
    BothPasses(const DeviceModel& model, TensorGroup& group, DecoderOptions options)
        : dtype_(std::is_same_v<T, float> ? DType::f32 : DType::bf16),
          model_(model, dtype_, group.size(), group.rank()),
          work_(group),
          route_(LayerRoute::plain(model_.architecture.layers)),
          cpu_(make_forward_pass(model_.architecture, model_.sharding, model_.arena, group,
                                 with_dtype(options), route_)),
          device_(cuda::make_device_pass<T>(model_.architecture, model_.sharding, model_.arena,
                                            model_.arena.span().data(), work_, group,
                                            with_dtype(options), route_)) {}

    void set_route(const LayerRoute& route) {
        cpu_->set_route(route);
        device_->set_route(route);
    }

    void run(const Ids& tokens, const std::vector<Segment>& segments, const Ids& wanted) {
        cpu_->run(tokens, segments, wanted);
        device_->run(tokens, segments, wanted);
        wanted_ = wanted.size();
    }

    /// The largest difference of logits after the last run, as a share of what is allowed: 1e-4 in
    /// fp32. In bf16 libtorch's attention of several tokens rounds weights that the device keeps in
    /// fp32; and where roundings move a router's logits, other experts answer.
    double difference() {
        std::vector<float> expected(wanted_ * vocabulary), found(wanted_ * vocabulary);
        cpu_->logits(expected.data());
        device_->logits(found.data());
        double largest = 0, difference = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            largest = std::max(largest, std::abs(double{expected[i]}));
            difference = std::max(difference, std::abs(double{expected[i]} - found[i]));
            if (!std::isfinite(found[i])) return std::numeric_limits<double>::infinity();
        }
        if (dtype_ == DType::f32) return difference / 1e-4;
        return difference / (largest * (model_.architecture.experts > 0 ? 0.25 : tolerance<T>));
    }

    std::vector<HeadAnswer> answers(ForwardPass& pass, const std::vector<HeadQuery>& queries) {
        std::vector<HeadAnswer> answers(queries.size());
        pass.answer(queries, answers);
        return answers;
    }
    ForwardPass& cpu() { return *cpu_; }
    ForwardPass& device() { return *device_; }
    test::HostWork<T>& work() { return work_; }
    DrawnModel& model() { return model_; }

  private:
    DecoderOptions with_dtype(DecoderOptions options) const {
        options.dtype = dtype_;
        return options;
    }

    DType dtype_;
    DrawnModel model_;
    test::HostWork<T> work_;
    LayerRoute route_;
    std::unique_ptr<ForwardPass> cpu_, device_;
    std::size_t wanted_ = 0;
};

template <typename T>
class DevicePass : public ::testing::Test {
  protected:
    TensorGroup group_{Communicator::world()};
};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(DevicePass, ElementTypes);

TYPED_TEST(DevicePass, AgreesWithTheCpuOnEveryArchitecture) {
    using T = TypeParam;
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        BothPasses<T> both(model, this->group_);
        // Two prompts, one of them in two parts; then single tokens of all rows, out of order.
        both.run(random_ids(30, 1), {{0, 0, 11}, {2, 0, 19}}, {0, 10, 11, 29});
        EXPECT_LT(both.difference(), 1);
        both.run(random_ids(16, 2), {{1, 0, 9}, {0, 11, 7}}, {});
        for (unsigned step = 0; step < 3; ++step) {
            const auto at = static_cast<std::int64_t>(step);
            both.run(random_ids(3, 3 + step), {{2, 19 + at, 1}, {0, 18 + at, 1}, {1, 9 + at, 1}},
                     {0, 1, 2});
            EXPECT_LT(both.difference(), 1);
        }
        // Continuations that overwrite each other's places, as scoring has them.
        both.run(random_ids(14, 9), {{0, 21, 4}, {1, 12, 3}, {0, 21, 5}, {1, 12, 2}},
                 {0, 3, 5, 9, 13});
        EXPECT_LT(both.difference(), 1);
    }
}

TYPED_TEST(DevicePass, AnswersAsTheCpuDoesAndWaitsOnce) {
    using T = TypeParam;
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        BothPasses<T> both(model, this->group_);
        both.run(random_ids(20, 4), {{0, 0, 20}}, {3, 7, 8, 19});
        const std::vector<HeadQuery> queries{{0, -1}, {0, 5}, {1, 66}, {2, 0}, {2, 40}, {3, -1}};
        const auto expected = both.answers(both.cpu(), queries);
        EXPECT_EQ(both.work().waits(), 0);
        const auto found = both.answers(both.device(), queries);
        EXPECT_EQ(both.work().waits(), 1);
        for (std::size_t i = 0; i < queries.size(); ++i) {
            if (std::is_same_v<T, float>) {
                EXPECT_EQ(found[i].argmax, expected[i].argmax);
            }
            if (queries[i].target < 0)
                EXPECT_TRUE(std::isnan(found[i].log_probability));
            else
                EXPECT_NEAR(found[i].log_probability, expected[i].log_probability,
                            tolerance<T> * std::max(1.0, std::abs(expected[i].log_probability)));
        }
    }
}

TYPED_TEST(DevicePass, GreedyIdsAreTheCpus) {
    using T = TypeParam;
    if (!std::is_same_v<T, float>) GTEST_SKIP() << "bf16 has near ties";
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        BothPasses<T> both(model, this->group_);
        const auto generate = [&](ForwardPass& pass) {
            Ids ids = random_ids(9, 5);
            pass.run(ids, std::vector<Segment>{{1, 0, 9}}, Ids{8});
            while (ids.size() < 25) {
                ids.push_back(both.answers(pass, {{0, -1}})[0].argmax);
                const auto at = static_cast<std::int64_t>(ids.size()) - 1;
                pass.run(Ids{ids.back()}, std::vector<Segment>{{1, at, 1}}, Ids{0});
            }
            return ids;
        };
        EXPECT_EQ(generate(both.device()), generate(both.cpu()));
    }
}

TYPED_TEST(DevicePass, ReservesWhatWasPlanned) {
    using T = TypeParam;
    DecoderOptions options = options_of(std::is_same_v<T, float> ? DType::f32 : DType::bf16);
    options.max_tokens = 700;
    for (const DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        for (const Reductions reductions : {Reductions::exact, Reductions::fast}) {
            options.reductions = reductions;
            BothPasses<T> both(each, this->group_, options);
            const DrawnModel& model = both.model();
            EXPECT_EQ(
                cuda::device_pass_bytes<T>(model.architecture, model.sharding, model.arena, options,
                                           LayerRoute::plain(model.architecture.layers)),
                both.work().reserved() + cuda::beside_pass_bytes(this->group_.size()));
        }
    }
}

/// The twin's group adds up in rank order either way, so what differs is only who adds.
TYPED_TEST(DevicePass, FastReductionsAreTheDevicesOwn) {
    using T = TypeParam;
    DecoderOptions fast = options_of(DType::f32);
    fast.reductions = Reductions::fast;
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        BothPasses<T> exact_passes(model, this->group_), fast_passes(model, this->group_, fast);
        const auto logits_of = [](BothPasses<T>& both) {
            both.run(random_ids(30, 1), {{0, 0, 11}, {2, 0, 19}}, {0, 10, 11, 29});
            both.run(random_ids(2, 2), {{2, 19, 1}, {0, 11, 1}}, {0, 1});
            EXPECT_LT(both.difference(), 1);
            std::vector<float> logits(2 * vocabulary);
            both.device().logits(logits.data());
            return logits;
        };
        EXPECT_EQ(logits_of(fast_passes), logits_of(exact_passes));
        EXPECT_EQ(fast_passes.work().gathers(), 0);
        EXPECT_EQ(fast_passes.work().sums(), exact_passes.work().gathers());
        EXPECT_EQ(fast_passes.work().sums() > 0, this->group_.size() > 1);
    }
}

/// Requests of many lengths, more than rows, and scores with contexts in common.
TEST(DeviceDecoder, GeneratesAndScoresAsTheCpuDoes) {
    TensorGroup group(Communicator::world());
    const DecoderOptions options = options_of(DType::f32);
    for (const DeviceModel& each : test::device_models()) {
        SCOPED_TRACE(each.name);
        DrawnModel model(each, DType::f32, group.size(), group.rank());
        test::HostWork<float> work(group);
        const LayerRoute route = LayerRoute::plain(model.architecture.layers);
        Decoder cpu(model.architecture, model.sharding, model.arena, group, options);
        Decoder device(
            model.architecture, group, options,
            cuda::make_device_pass<float>(model.architecture, model.sharding, model.arena,
                                          model.arena.span().data(), work, group, options, route));
        std::vector<GenerationRequest> prompts;
        for (unsigned i = 0; i < 5; ++i)
            prompts.push_back({random_ids(1 + static_cast<int>(i * 7 % 23), i),
                               3 + static_cast<int>(i * 5 % 7),
                               {}});
        const auto expected = cpu.generate(prompts), found = device.generate(prompts);
        for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(found[i].ids, expected[i].ids);
        EXPECT_GT(work.replays(), 0);

        std::vector<ScoreRequest> choices;
        for (unsigned i = 0; i < 8; ++i)
            choices.push_back({random_ids(9, i / 4), random_ids(1 + static_cast<int>(i % 4), i)});
        const auto scores = cpu.score(choices), twins = device.score(choices);
        for (std::size_t i = 0; i < choices.size(); ++i) {
            EXPECT_NEAR(twins[i].log_likelihood, scores[i].log_likelihood, 1e-4);
            EXPECT_EQ(twins[i].greedy, scores[i].greedy);
        }
    }
}

TYPED_TEST(DevicePass, LongRowsDoNotDependOnTheirNeighbours) {
    using T = TypeParam;
    DecoderOptions options = options_of(DType::f32);
    options.max_tokens = 700;
    options.batch_tokens = 300;
    BothPasses<T> both(test::device_models().front(), this->group_, options);
    for (const std::int64_t at : {0, 290}) both.run(random_ids(290, 1), {{0, at, 290}}, {});
    both.run(random_ids(200, 2), {{1, 0, 200}}, {});
    const auto logits_of = [&](const Ids& ids, const std::vector<Segment>& segments) {
        both.run(ids, segments, {0});
        EXPECT_LT(both.difference(), 1);
        std::vector<float> logits(vocabulary);
        both.device().logits(logits.data());
        return logits;
    };
    // Two rows each time: products of one are made in another way.
    const Segment longer{0, 580, 1}, shorter{1, 200, 1}, beginning{2, 0, 1};
    EXPECT_EQ(logits_of({5, 7}, {shorter, beginning}), logits_of({5, 6}, {shorter, longer}));
    EXPECT_EQ(logits_of({6, 7}, {longer, beginning}), logits_of({6, 5}, {longer, shorter}));
}

/// In a long pass experts run on the rows that chose them, in short ones on all rows.
TYPED_TEST(DevicePass, ExpertsAnswerTheSameInLongPassesAndInShortOnes) {
    using T = TypeParam;
    const std::vector<DeviceModel> models = test::device_models();
    const auto mixtral = std::find_if(models.begin(), models.end(), [](const DeviceModel& each) {
        return each.name == "mixtral";
    });
    DecoderOptions options = options_of(DType::f32);
    options.max_tokens = 310;
    options.batch_tokens = 310;
    BothPasses<T> both(*mixtral, this->group_, options);
    const Ids ids = random_ids(301, 1);
    const auto logits_of = [&](std::int64_t length) {
        for (std::int64_t at = 0; at < 300; at += length)
            both.run(Ids(ids.begin() + at, ids.begin() + at + length), {{0, at, length}}, {0});
        both.run({ids.back()}, {{0, 300, 1}}, {0});
        EXPECT_LT(both.difference(), 1);
        std::vector<float> logits(vocabulary);
        both.device().logits(logits.data());
        return logits;
    };
    const std::vector<float> in_parts = logits_of(100);
    const int waits = both.work().waits();
    const std::vector<float> at_once = logits_of(300);
    EXPECT_GE(both.work().waits(), waits + 3) << "each of three layers waits for its router";
    constexpr double rounding = std::is_same_v<T, float> ? 0 : 0.06;
    for (std::size_t i = 0; i < in_parts.size(); ++i)
        EXPECT_NEAR(at_once[i], in_parts[i], rounding);
}

/// The twin compares what the steps ask for: see HostWork::replay.
TYPED_TEST(DevicePass, StepsOfAsManyRowsAskForTheSameOfEveryCandidateOnARoute) {
    using T = TypeParam;
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        BothPasses<T> both(model, this->group_);
        const auto generate = [&](unsigned seed) {
            both.run(random_ids(20, seed), {{0, 0, 5}, {1, 0, 9}, {2, 0, 6}}, {4, 13, 19});
            both.run(random_ids(3, 1), {{0, 5, 1}, {1, 9, 1}, {2, 6, 1}}, {0, 1, 2});
            both.run(random_ids(2, 2), {{2, 7, 1}, {0, 6, 1}}, {0, 1});
            both.run(random_ids(3, 3), {{1, 10, 1}, {2, 8, 1}, {0, 7, 1}}, {0, 1, 2});
            both.run(random_ids(1, 4), {{1, 11, 1}}, {0});
            EXPECT_LT(both.difference(), 1);
        };
        generate(1);
        EXPECT_EQ(both.work().shapes(), 3U);
        EXPECT_EQ(both.work().replays(), 1);
        for (const TensorSpec& spec : both.model().arena.specs()) {
            const auto tensor = both.model().arena.tensor(spec.name);
            auto* first = reinterpret_cast<T*>(tensor.data);
            first[0] = cuda::narrow<T>(cuda::widen(first[0]) + 0.5F);
        }
        generate(5);
        EXPECT_EQ(both.work().shapes(), 3U);
        EXPECT_EQ(both.work().replays(), 5);
        both.set_route({ScaleRule::branch, {{1, 1}, {0, 0.75F}}});
        generate(6);
        both.set_route({ScaleRule::branch, {{1, 1}, {0, 0.75F}}});
        generate(7);
        EXPECT_EQ(both.work().shapes(), 3U);
        EXPECT_EQ(both.work().replays(), 10);
    }
}

TYPED_TEST(DevicePass, StepsOfRowsThatGrowTakeFewShapes) {
    using T = TypeParam;
    DecoderOptions options = options_of(DType::f32);
    options.max_tokens = 1100;
    options.batch_tokens = 1100;
    const std::vector<DeviceModel> models = test::device_models();
    DeviceModel model = *std::find_if(models.begin(), models.end(), [](const DeviceModel& each) {
        return each.name == "gemma2";  // every other layer has a window
    });
    model.config["sliding_window"] = 300;
    BothPasses<T> both(model, this->group_, options);
    both.run(random_ids(1030, 1), {{0, 0, 1030}}, {});
    // Stretches of 256 positions: one, two, three or four, five; and at most two in a window.
    for (const std::int64_t at : {40, 255, 256, 290, 310, 511, 512, 800, 1023, 1024, 1029}) {
        both.run(random_ids(1, 2), {{0, at, 1}}, {0});
        EXPECT_LT(both.difference(), 1);
    }
    EXPECT_EQ(both.work().shapes(), 4U);
    EXPECT_EQ(both.work().replays(), 11 - 4);
}

TEST(HostWork, NoticesAStepThatIsNotTheFirstOfItsShape) {
    TensorGroup group;
    test::HostWork<float> work(group);
    std::vector<float> rows(8);
    const auto step = [&](float* output, int times) {
        work.replay({2, 1}, [&, output, times] {
            for (int i = 0; i < times; ++i)
                work.run(cuda::AddRows<float>{{2, 2}, rows.data(), rows.data(), output});
        });
    };
    step(rows.data(), 2);
    step(rows.data(), 2);
    EXPECT_NONFATAL_FAILURE(step(rows.data() + 4, 2), "call 0, ");
    EXPECT_NONFATAL_FAILURE(step(rows.data(), 1), "1 calls, not 2");
    work.forget_steps();
    step(rows.data() + 4, 1);
    float copied = 1;
    EXPECT_NONFATAL_FAILURE(
        work.replay({1, 1}, [&] { work.copy_in(&copied, sizeof copied, rows.data()); }),
        "a copy can't be recorded");
}

/// Of models without biases between them, and where they are one tensor.
TYPED_TEST(DevicePass, QueriesKeysAndValuesAreOneProductWhereTheyLieSideBySide) {
    using T = TypeParam;
    const std::set<std::string> joined{"mistral", "phi3", "gpt2", "gpt_neox"};
    const std::set<std::string> apart{"llama", "qwen2"};
    for (const DeviceModel& model : test::device_models()) {
        SCOPED_TRACE(model.name);
        if (!joined.contains(model.name) && !apart.contains(model.name)) continue;
        const DrawnModel drawn(model, std::is_same_v<T, float> ? DType::f32 : DType::bf16);
        const HeadCounts heads = heads_of(drawn.sharding, drawn.architecture);
        const auto weights =
            cuda::join_neighbours(WeightBinder<T>(drawn.architecture, heads, drawn.arena).bind());
        for (const LayerWeights<T>& layer : weights.layers) {
            EXPECT_EQ(layer.query.weight != nullptr, apart.contains(model.name));
            EXPECT_EQ(layer.query_key_value.out, joined.contains(model.name)
                                                     ? (heads.query + 2 * heads.kv) * heads.head_dim
                                                     : 0);
        }
    }
}

TYPED_TEST(DevicePass, FollowsRoutesWithTheirScales) {
    using T = TypeParam;
    for (const DeviceModel& model : test::device_models())
        for (const ScaleRule rule : {ScaleRule::branch, ScaleRule::stream}) {
            SCOPED_TRACE(model.name);
            BothPasses<T> both(model, this->group_);
            both.set_route({rule, {{1, 0.9F}, {0, 1}, {1, 0.5F}, {2, 1.25F}, {2, 1}}});
            both.run(random_ids(12, 6), {{0, 0, 12}}, {2, 11});
            EXPECT_LT(both.difference(), 1);
            both.run(random_ids(1, 7), {{0, 12, 1}}, {0});
            EXPECT_LT(both.difference(), 1);
        }
}

TYPED_TEST(DevicePass, FollowsTheArenaAndReportsWhatIsNotANumber) {
    using T = TypeParam;
    BothPasses<T> both(test::device_models().front(), this->group_);
    const auto run = [&] { both.run(random_ids(8, 8), {{0, 0, 8}}, {7}); };
    auto* weights = reinterpret_cast<T*>(both.model().arena.tensor("model.norm.weight").data);
    weights[0] = cuda::narrow<T>(3.0F);
    run();
    EXPECT_LT(both.difference(), 1);
    weights[0] = cuda::narrow<T>(std::numeric_limits<float>::quiet_NaN());
    run();
    EXPECT_THROW(both.answers(both.device(), {{0, -1}}), Error);
    EXPECT_THROW(both.device().set_route({}), Error);
}

}  // namespace
}  // namespace galapagos
