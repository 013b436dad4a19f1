#include <cmath>

#include "base/error.hpp"
#include "model/decoder_fixture.hpp"

namespace galapagos {
namespace {

using test::random_ids;
using test::TestDecoder;
using test::uneven_model;
using Ids = std::vector<int32_t>;

/// From the logits of the whole sequence, in double precision.
Score score_slowly(TestDecoder& decoder, const ScoreRequest& request) {
    Ids ids = request.context;
    ids.insert(ids.end(), request.continuation.begin(), request.continuation.end());
    const std::vector<float> logits = decoder->logits(ids);
    const size_t vocabulary = logits.size() / ids.size();
    Score score;
    for (size_t i = request.context.size(); i < ids.size(); ++i) {
        const float* row = logits.data() + (i - 1) * vocabulary;
        double sum = 0;
        size_t best = 0;
        for (size_t v = 0; v < vocabulary; ++v) {
            sum += std::exp(static_cast<double>(row[v]));
            if (row[v] > row[best]) best = v;
        }
        score.log_likelihood += row[ids[i]] - std::log(sum);
        score.greedy = score.greedy && static_cast<int32_t>(best) == ids[i];
    }
    return score;
}

void expect_right(TestDecoder& decoder, const std::vector<ScoreRequest>& requests) {
    const std::vector<Score> scores = decoder->score(requests);
    ASSERT_EQ(scores.size(), requests.size());
    for (size_t i = 0; i < requests.size(); ++i) {
        const Score expected = score_slowly(decoder, requests[i]);
        EXPECT_NEAR(scores[i].log_likelihood, expected.log_likelihood, 1e-4) << i;
        EXPECT_EQ(scores[i].greedy, expected.greedy) << i;
    }
}

/// Items with four choices each that share their context, and items of their own.
std::vector<ScoreRequest> mixed_requests() {
    std::vector<ScoreRequest> requests;
    for (unsigned item = 0; item < 7; ++item) {
        const Ids context = random_ids(1 + static_cast<int>(item * 5 % 19), item);
        for (unsigned choice = 0; choice < (item % 3 == 0 ? 1U : 4U); ++choice)
            requests.push_back({context, random_ids(1 + static_cast<int>((item + choice * 3) % 9),
                                                    100 + item * 4 + choice)});
    }
    return requests;
}

TEST(Scoring, EqualsTheLogits) {
    TestDecoder decoder(uneven_model());
    expect_right(decoder, mixed_requests());
}

TEST(Scoring, SequencesLongerThanAPass) {
    auto narrow = TestDecoder::small();
    narrow.batch_tokens = 6;
    narrow.max_batch = 2;
    TestDecoder decoder(uneven_model(), narrow);
    expect_right(decoder, mixed_requests());
}

TEST(Scoring, KnowsGreedyContinuations) {
    TestDecoder decoder(uneven_model());
    const Ids prompt = random_ids(6, 1);
    Ids ids = decoder->generate({{prompt, 5, {}}})[0].ids;
    EXPECT_TRUE(decoder->score({{prompt, ids}})[0].greedy);
    ids[4] = (ids[4] + 1) % 60;
    EXPECT_FALSE(decoder->score({{prompt, ids}})[0].greedy);
    const Score nothing = decoder->score({{prompt, {}}})[0];
    EXPECT_EQ(nothing.log_likelihood, 0.0);
}

TEST(Scoring, SharingAContextDoesNotChangeScores) {
    TestDecoder decoder(uneven_model());
    const auto requests = mixed_requests();
    const auto together = decoder->score(requests);
    for (size_t i = 0; i < requests.size(); i += 2)
        EXPECT_NEAR(decoder->score({requests[i]})[0].log_likelihood, together[i].log_likelihood,
                    1e-5);
}

TEST(Scoring, AContinuationsLastIdNeedsNoPlace) {
    TestDecoder decoder(uneven_model());
    const Ids ids = random_ids(65, 5);  // one more than a row holds
    const Ids context(ids.begin(), ids.begin() + 60);
    const auto continuation = [&](int count) {
        return Ids(ids.begin() + 60, ids.begin() + 60 + count);
    };
    const Score last = decoder->score({{Ids(ids.begin(), ids.begin() + 64), {ids[64]}}})[0];
    EXPECT_NEAR(
        decoder->score({{context, continuation(5)}})[0].log_likelihood,
        decoder->score({{context, continuation(4)}})[0].log_likelihood + last.log_likelihood, 1e-4);
    EXPECT_THROW(decoder->score({{ids, {1}}}), Error);
}

TEST(Scoring, CanBeEnded) {
    TestDecoder decoder(uneven_model());
    int passes = 0;
    const auto scores = decoder->score(mixed_requests(), [&] { return ++passes <= 1; });
    EXPECT_TRUE(std::isnan(scores.back().log_likelihood));
    EXPECT_THROW(decoder->score({{{}, {1}}}), Error);
    EXPECT_THROW(decoder->score({{{1}, {67}}}), Error);
}

}  // namespace
}  // namespace galapagos
