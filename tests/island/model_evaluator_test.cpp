// Genomes evaluated on a machine that is handed in.
#include <gmock/gmock.h>

#include "base/error.hpp"
#include "island/cpu_candidate.hpp"
#include "island/tiny_search.hpp"

namespace galapagos {
namespace {

using namespace test;

/// Fails as it is told, whatever is merged.
template <typename Failure>
class FailingCandidate final : public CandidateModel {
  public:
    using CandidateModel::CandidateModel;
    void merge(const MergePlan&) override { throw Failure("the merge failed", "a test", "again"); }
    Decoder& decoder() override { throw Failure("there is no decoder"); }

    static CandidateFactory factory() {
        return [](std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                  Architecture architecture, const LayerRoute& route, const Communicator& group,
                  std::uint64_t, const DecoderOptions& options, std::span<const MergePlan>) {
            return std::unique_ptr<CandidateModel>(
                new FailingCandidate(std::move(sources), layout_source, std::move(architecture),
                                     route, group, options.dtype));
        };
    }

  private:
    FailingCandidate(std::vector<std::shared_ptr<const Source>> sources,
                     const Source& layout_source, Architecture architecture,
                     const LayerRoute& route, const Communicator& group, DType dtype)
        : CandidateModel(std::move(sources), layout_source, std::move(architecture), route, group,
                         dtype) {}
};

class ModelEvaluatorTest : public ::testing::Test {
  protected:
    Candidate candidate() const {
        Candidate candidate;
        candidate.genome = initial_genome(search_.space().genes());
        return candidate;
    }
    TinySearch search_;
};

TEST_F(ModelEvaluatorTest, ScoresACandidateOfTheFactory) {
    auto evaluator = search_.evaluator({}, make_cpu_candidate);
    const auto result = evaluator.evaluate(candidate(), {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, CandidateStatus::evaluated);
    EXPECT_LT(result->fitness, 0);
    EXPECT_EQ(result->answers.at(0).size(), 2u);
}

TEST_F(ModelEvaluatorTest, WhatGoesWrongWithOneCandidateFailsItAlone) {
    auto evaluator = search_.evaluator({}, FailingCandidate<Error>::factory());
    const auto result = evaluator.evaluate(candidate(), {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, CandidateStatus::failed);
    EXPECT_EQ(result->reason, "the merge failed (a test) again");
}

TEST_F(ModelEvaluatorTest, AFaultOfTheMachineIsNoCandidatesFault) {
    auto evaluator = search_.evaluator({}, FailingCandidate<MachineError>::factory());
    EXPECT_THROW(evaluator.evaluate(candidate(), {}), MachineError);
}

}  // namespace
}  // namespace galapagos
