// Long passes of several ranks, which go in two parts: where they are cut, and that they have the
// bits of whole passes whenever work beside them is done. Runs under mpirun with 2 and 3 ranks: the
// tensor-parallel width.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "comm/communicator.hpp"
#include "model/cuda/attend_tiles.hpp"
#include "model/cuda/device_pass.hpp"
#include "model/cuda/pass_part.hpp"
#include "model/device_models.hpp"
#include "model/host_work.hpp"

namespace galapagos {
namespace {

using Ids = std::vector<std::int32_t>;
using Segments = std::vector<Segment>;

std::int64_t tokens_of(const Segments& segments) {
    std::int64_t sum = 0;
    for (const Segment& segment : segments) sum += segment.count;
    return sum;
}

/// The halves' pieces put together again where a segment was cut.
Segments joined(const cuda::SegmentHalves& halves) {
    Segments all = halves.first;
    for (const Segment& next : halves.second) {
        const bool goes_on = !all.empty() && &next == &halves.second.front() &&
                             all.back().row == next.row &&
                             all.back().position + all.back().count == next.position;
        if (goes_on)
            all.back().count += next.count;
        else
            all.push_back(next);
    }
    return all;
}

TEST(SegmentHalves, AreCutWhereTilesEnd) {
    RandomStream random(1, 0, Purpose::test, 0);
    for (int turn = 0; turn < 500; ++turn) {
        const auto longest = static_cast<std::int64_t>(1 + turn % 10 * turn % 10 * 20);
        Segments segments;
        while (tokens_of(segments) < cuda::fewest_halved_rows)
            segments.push_back(
                {static_cast<std::int64_t>(segments.size()), turn,
                 1 + static_cast<std::int64_t>(random.uniform() * static_cast<double>(longest))});
        const cuda::SegmentHalves halves = cuda::halve(segments);
        const Segments again = joined(halves);
        ASSERT_EQ(again.size(), segments.size());
        for (std::size_t i = 0; i < segments.size(); ++i) {
            EXPECT_EQ(again[i].row, segments[i].row);
            EXPECT_EQ(again[i].position, segments[i].position);
            EXPECT_EQ(again[i].count, segments[i].count);
        }
        EXPECT_NEAR(tokens_of(halves.first), tokens_of(halves.second),
                    2 * (cuda::tile_tokens + cuda::fewest_tiled_tokens));
        const Segment& last = halves.first.back();
        const Segment& whole = segments[static_cast<std::size_t>(last.row)];
        if (last.count == whole.count) continue;
        EXPECT_EQ(last.count % cuda::tile_tokens, 0);
        EXPECT_GE(whole.count - last.count, cuda::fewest_tiled_tokens);
    }
}

template <typename T>
class HalvedPass : public ::testing::Test {
  protected:
    static constexpr DType dtype = std::is_same_v<T, float> ? DType::f32 : DType::bf16;
    static constexpr std::int64_t rows = 12, vocabulary = 67;

    static DecoderOptions options(Reductions reductions) {
        DecoderOptions options;
        options.reductions = reductions;
        options.dtype = dtype;
        options.max_batch = rows;
        options.max_tokens = 120;
        options.batch_tokens = rows * options.max_tokens;
        return options;
    }

    static Ids random_ids(std::int64_t count) {
        Ids ids(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i] = static_cast<std::int32_t>(i * i * 7 % vocabulary);
        return ids;
    }

    /// Logits of the wanted of these tokens, in passes of so many segments.
    std::vector<float> logits_of(ForwardPass& pass, const Segments& segments, const Ids& wanted,
                                 std::size_t at_a_time) {
        const Ids ids = random_ids(tokens_of(segments));
        std::vector<float> logits;
        std::int64_t first = 0;
        for (std::size_t begin = 0; begin < segments.size(); begin += at_a_time) {
            const auto part =
                std::span(segments).subspan(begin, std::min(at_a_time, segments.size() - begin));
            const std::int64_t last = first + tokens_of({part.begin(), part.end()});
            Ids asked;
            for (const std::int32_t token : wanted)
                if (token >= first && token < last)
                    asked.push_back(token - static_cast<std::int32_t>(first));
            pass.run(std::span(ids).subspan(static_cast<std::size_t>(first),
                                            static_cast<std::size_t>(last - first)),
                     part, asked);
            std::vector<float> found(asked.size() * vocabulary);
            pass.logits(found.data());
            logits.insert(logits.end(), found.begin(), found.end());
            first = last;
        }
        return logits;
    }

    /// A pass of its own.
    std::vector<float> logits_of(const test::DrawnModel& model, test::HostWork<T>& work,
                                 Reductions reductions, const Segments& segments, const Ids& wanted,
                                 std::size_t at_a_time) {
        const auto pass = cuda::make_device_pass<T>(
            model.architecture, model.sharding, model.arena, model.arena.span().data(), work,
            group_, options(reductions), LayerRoute::plain(model.architecture.layers));
        return logits_of(*pass, segments, wanted, at_a_time);
    }

    TensorGroup group_{Communicator::world()};
};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(HalvedPass, ElementTypes);

/// Twelve rows, one of them cut in two after 535 tokens, which no width divides; and a second time
/// some of one row's, as scores have it.
Segments long_segments() {
    Segments segments;
    for (const std::int64_t count : {76, 87, 94, 101, 113, 117, 82, 89, 96, 103, 91, 90})
        segments.push_back({static_cast<std::int64_t>(segments.size()), 0, count});
    segments.push_back({0, 76, 9});
    segments.push_back({0, 76, 1});
    return segments;
}

TYPED_TEST(HalvedPass, HasTheBitsOfAWholeOne) {
    using T = TypeParam;
    using Beside = typename test::HostWork<T>::Beside;
    const Segments segments = long_segments();
    ASSERT_GE(tokens_of(segments), cuda::fewest_halved_rows);
    ASSERT_EQ(tokens_of(cuda::halve(segments).first), 535);
    Ids all(static_cast<std::size_t>(tokens_of(segments)));
    std::iota(all.begin(), all.end(), 0);
    // At least two of each pass: products of one row are made in another way.
    const auto last = static_cast<std::int32_t>(all.size()) - 1;
    const Ids some{0, 79, 300, 520, 560, 700, last - 40, last};
    const auto compare = [&](const test::DeviceModel& each, const Ids& wanted,
                             Reductions reductions, const std::vector<Beside>& times) {
        SCOPED_TRACE(each.name + ", " + std::to_string(wanted.size()) + " wanted");
        const test::DrawnModel model(each, this->dtype, this->group_.size(), this->group_.rank());
        test::HostWork<T> whole(this->group_);
        const auto expected = this->logits_of(model, whole, reductions, segments, wanted, 5);
        EXPECT_EQ(whole.beside_others(), 0);
        for (const Beside when : times) {
            test::HostWork<T> halved(this->group_, when);
            EXPECT_EQ(this->logits_of(model, halved, reductions, segments, wanted, 14), expected);
            EXPECT_GT(halved.beside_others(), 0);
            EXPECT_EQ(halved.exchanges() > 0, reductions == Reductions::exact);
        }
    };
    for (const test::DeviceModel& each : test::device_models())
        compare(each, some, Reductions::exact, {Beside::late});
    const test::DeviceModel first = test::device_models().front();
    compare(first, all, Reductions::exact, {Beside::soon, Beside::late});
    compare(first, {}, Reductions::exact, {Beside::late});
    compare(first, some, Reductions::fast, {Beside::soon, Beside::late});
}

/// Whatever an error left under way beside it.
TYPED_TEST(HalvedPass, HasTheBitsOfTheFirstAfterOneThatFailed) {
    using T = TypeParam;
    const test::DrawnModel model(test::device_models().front(), this->dtype, this->group_.size(),
                                 this->group_.rank());
    const Segments segments = long_segments();
    const Ids wanted{0, 79, 700};
    test::HostWork<T> work(this->group_, test::HostWork<T>::Beside::late);
    const auto pass = cuda::make_device_pass<T>(model.architecture, model.sharding, model.arena,
                                                model.arena.span().data(), work, this->group_,
                                                this->options(Reductions::exact),
                                                LayerRoute::plain(model.architecture.layers));
    const auto expected = this->logits_of(*pass, segments, wanted, 14);
    for (const int product : {2, 5}) {
        SCOPED_TRACE("product " + std::to_string(product));
        work.fail_at_product(product);
        EXPECT_THROW(this->logits_of(*pass, segments, wanted, 14), Error);
        EXPECT_EQ(this->logits_of(*pass, segments, wanted, 14), expected);
    }
}

/// Many and wide embeddings are exchanged too; HostWork looks where.
using HalvedPassInBf16 = HalvedPass<Bf16>;
TEST_F(HalvedPassInBf16, ExchangesEmbeddingsWhereRanksReachThem) {
    test::DeviceModel wide = test::device_models().front();
    wide.config.update({{"hidden_size", 3072}, {"head_dim", 16}, {"num_hidden_layers", 1}});
    const test::DrawnModel model(wide, dtype, group_.size(), group_.rank());
    Segments segments;
    for (std::int64_t row = 0; row < rows; ++row) segments.push_back({row, 0, 117});
    test::HostWork<Bf16> work(group_);
    logits_of(model, work, Reductions::exact, segments, {0}, 12);
    EXPECT_EQ(work.exchanges(), work.beside_others() + 1);
}

}  // namespace
}  // namespace galapagos
