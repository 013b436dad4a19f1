// Runs under mpirun with 1, 2 and 4 ranks: the tensor-parallel width is the number of ranks.
#include "model/decoder.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "base/error.hpp"
#include "model/decoder_fixture.hpp"

namespace galapagos {
namespace {

using test::random_ids;
using test::SingleDecoder;
using test::TestDecoder;
using test::uneven_model;
using Ids = std::vector<int32_t>;

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
    return largest;
}

std::vector<GenerationRequest> mixed_requests() {
    std::vector<GenerationRequest> requests;
    for (unsigned i = 0; i < 11; ++i)
        requests.push_back({random_ids(1 + static_cast<int>(i * 7 % 23), i),
                            3 + static_cast<int>(i * 5 % 17),
                            {}});
    return requests;
}

/// Greedy decoding without a cache: the whole sequence is run again for every token.
template <typename AnyDecoder>
Ids generate_slowly(AnyDecoder& decoder, Ids ids, int count) {
    const size_t prompt = ids.size();
    const auto vocabulary = static_cast<size_t>(decoder->architecture().vocabulary);
    for (int i = 0; i < count; ++i) {
        const std::vector<float> logits = decoder->logits(ids);
        const auto last = logits.end() - static_cast<std::ptrdiff_t>(vocabulary);
        ids.push_back(static_cast<int32_t>(std::max_element(last, logits.end()) - last));
    }
    return Ids(ids.begin() + static_cast<std::ptrdiff_t>(prompt), ids.end());
}

TEST(Decoder, EveryWidthGivesTheSameLogits) {
    for (const bool tied : {true, false}) {
        auto model = uneven_model();
        model.tied = tied;
        TestDecoder decoder(model);
        SingleDecoder single(decoder.folder());
        const Ids ids = random_ids(29, 3);
        const auto logits = decoder->logits(ids);
        EXPECT_LT(largest_difference(logits, single->logits(ids)), 1e-4);
        EXPECT_GT(*std::max_element(logits.begin(), logits.end()), 0.5F);
    }
}

TEST(Decoder, EveryWidthGeneratesTheSameIds) {
    TestDecoder decoder(uneven_model());
    SingleDecoder single(decoder.folder());
    const auto requests = mixed_requests();
    const auto together = decoder->generate(requests);
    const auto expected = single->generate(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(together[i].ids, expected[i].ids) << i;
        EXPECT_EQ(together[i].ids.size(), static_cast<size_t>(requests[i].max_new_tokens));
        EXPECT_FALSE(together[i].finished);
    }
}

TEST(Decoder, CachedDecodingEqualsFullPasses) {
    TestDecoder decoder(uneven_model());
    const auto requests = mixed_requests();
    const auto generations = decoder->generate(requests);
    for (size_t i = 0; i < requests.size(); i += 3)
        EXPECT_EQ(generations[i].ids,
                  generate_slowly(decoder, requests[i].prompt, requests[i].max_new_tokens));
}

TEST(Decoder, RowsDoNotDependOnTheirNeighbours) {
    TestDecoder decoder(uneven_model());
    const auto requests = mixed_requests();
    const auto together = decoder->generate(requests);
    for (size_t i = 0; i < requests.size(); ++i)
        EXPECT_EQ(decoder->generate({requests[i]})[0].ids, together[i].ids) << i;
}

TEST(Decoder, LongPromptsAreRunInParts) {
    auto narrow = TestDecoder::small();
    narrow.batch_tokens = 7;
    TestDecoder decoder(uneven_model(), narrow);
    SingleDecoder single(decoder.folder());
    const auto requests = mixed_requests();
    const auto generations = decoder->generate(requests);
    const auto expected = single->generate(requests);
    for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(generations[i].ids, expected[i].ids);
    const Ids ids = random_ids(33, 5);
    EXPECT_LT(largest_difference(decoder->logits(ids), single->logits(ids)), 1e-4);
}

TEST(Decoder, StopsAtStopIds) {
    TestDecoder decoder(uneven_model());
    GenerationRequest request{random_ids(9, 1), 12, {}};
    const Ids free = decoder->generate({request})[0].ids;
    request.stop_ids = {free[5]};
    const auto first = std::find(free.begin(), free.end(), free[5]);
    const Generation stopped = decoder->generate({request})[0];
    EXPECT_EQ(stopped.ids, Ids(free.begin(), first));
    EXPECT_TRUE(stopped.finished);
    EXPECT_TRUE(decoder->generate({{random_ids(9, 1), 0, {}}})[0].ids.empty());
}

TEST(Decoder, HooksEndRowsAndCalls) {
    TestDecoder decoder(uneven_model());
    const auto requests = mixed_requests();
    const auto free = decoder->generate(requests);
    GenerationHooks hooks;
    hooks.finished = [](size_t row, const Ids& ids) { return row % 2 == 0 && ids.size() == 2; };
    const auto generations = decoder->generate(requests, hooks);
    for (size_t i = 0; i < requests.size(); ++i) {
        Ids expected = free[i].ids;
        if (i % 2 == 0) expected.resize(2);
        EXPECT_EQ(generations[i].ids, expected);
        EXPECT_EQ(generations[i].finished, i % 2 == 0);
    }
    int passes = 0;
    hooks = {};
    hooks.keep_going = [&] { return ++passes <= 3; };
    size_t ids = 0;
    for (const Generation& generation : decoder->generate(requests, hooks))
        ids += generation.ids.size();
    EXPECT_EQ(ids, 8U);  // two prompts fit in a pass, and again two, then all four rows decode
    hooks.keep_going = []() -> bool { throw std::runtime_error("no"); };
    // std::runtime_error on rank 0, Error (which is one too) on the others.
    EXPECT_THROW(decoder->generate(requests, hooks), std::runtime_error);
    hooks = {};
    hooks.finished = [](size_t, const Ids&) -> bool { throw std::runtime_error("no"); };
    EXPECT_THROW(decoder->generate(requests, hooks), std::runtime_error);
    EXPECT_EQ(decoder->generate(requests)[0].ids, free[0].ids);
}

TEST(Decoder, FollowsTheArena) {
    TestDecoder decoder(uneven_model());
    auto other_model = uneven_model();
    other_model.seed = 2;
    TestDecoder other(other_model);
    const Ids ids = random_ids(10, 1);
    const auto before = decoder->logits(ids);
    EXPECT_GT(largest_difference(before, other->logits(ids)), 0.1);
    std::memcpy(decoder.arena().span().data(), other.arena().span().data(),
                decoder.arena().bytes());
    EXPECT_EQ(decoder->logits(ids), other->logits(ids));
}

TEST(Decoder, RepeatsItsBits) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
        auto options = TestDecoder::small();
        options.dtype = dtype;
        TestDecoder decoder(uneven_model(), options);
        const Ids ids = random_ids(40, 1);
        const auto first = decoder->logits(ids);
        decoder->generate(mixed_requests());
        EXPECT_EQ(decoder->logits(ids), first);
    }
}

TEST(Decoder, Bf16StaysNearFp32) {
    auto options = TestDecoder::small();
    options.dtype = DType::bf16;
    TestDecoder decoder(uneven_model(), options);
    SingleDecoder reference(decoder.folder());
    const Ids ids = random_ids(20, 1);
    const auto logits = decoder->logits(ids);
    const auto expected = reference->logits(ids);
    const double largest = std::abs(*std::max_element(expected.begin(), expected.end()));
    EXPECT_LT(largest_difference(logits, expected), 0.05 * largest);
}

TEST(Decoder, RefusesWhatItCannotRun) {
    TestDecoder decoder(uneven_model());
    EXPECT_THROW(decoder->generate({{{}, 3, {}}}), Error);
    EXPECT_THROW(decoder->generate({{{67}, 3, {}}}), Error);
    EXPECT_THROW(decoder->generate({{{-1}, 3, {}}}), Error);
    EXPECT_THROW(decoder->generate({{random_ids(60, 1), 5, {}}}), Error);
    EXPECT_THROW(decoder->logits(random_ids(65, 1)), Error);
    auto half = TestDecoder::small();
    half.dtype = DType::f16;
    EXPECT_THROW(TestDecoder(uneven_model(), half), Error);
}

TEST(Decoder, ReportsWeightsThatAreNotNumbers) {
    TestDecoder decoder(uneven_model());
    auto* weights = reinterpret_cast<float*>(decoder.arena().tensor("model.norm.weight").data);
    const float before = weights[0];
    weights[0] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THROW(decoder->generate(mixed_requests()), Error);
    weights[0] = before;
    EXPECT_NO_THROW(decoder->generate(mixed_requests()));
}

}  // namespace
}  // namespace galapagos
