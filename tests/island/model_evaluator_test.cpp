// Genomes evaluated on a machine that is handed in.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "island/cpu_candidate.hpp"
#include "island/tiny_search.hpp"

namespace galapagos {
namespace {

using namespace test;

/// Fails as it is told, whatever is merged, on the last rank alone.
template <typename Failure>
class FailingCandidate final : public CandidateModel {
  public:
    using CandidateModel::CandidateModel;
    void merge(const MergePlan&) override {
        if (group_.rank() == group_.size() - 1)
            throw Failure("the merge failed", "a test", "again");
    }
    Decoder& decoder() override { throw Failure("there is no decoder"); }

    static CandidateFactory factory() {
        return [](std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                  Architecture architecture, const LayerRoute& route, const Communicator& group,
                  std::uint64_t, const DecoderOptions& options, const MergeForms&) {
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

/// A CPU's candidate that notes what it is told to prepare for, and fails to prepare as it is told.
class ForetoldCandidate final : public CandidateModel {
  public:
    struct Log {
        std::vector<MergePlan> merged, foretold;
        std::function<void()> on_prepare = [] {};
    };

    void merge(const MergePlan& plan) override {
        log_.merged.push_back(plan);
        inner_->merge(plan);
    }
    void prepare(const MergePlan& next) override {
        log_.foretold.push_back(next);
        log_.on_prepare();
    }
    bool prepares() const override { return true; }
    Decoder& decoder() override { return inner_->decoder(); }

    static CandidateFactory factory(Log& log) {
        return
            [&log](std::vector<std::shared_ptr<const Source>> sources, const Source& layout_source,
                   Architecture architecture, const LayerRoute& route, const Communicator& group,
                   std::uint64_t seed, const DecoderOptions& options, const MergeForms& forms) {
                auto inner = make_cpu_candidate(sources, layout_source, architecture, route, group,
                                                seed, options, forms);
                return std::unique_ptr<CandidateModel>(
                    new ForetoldCandidate(log, std::move(inner), std::move(sources), layout_source,
                                          std::move(architecture), route, group, options.dtype));
            };
    }

  private:
    ForetoldCandidate(Log& log, std::unique_ptr<CandidateModel> inner,
                      std::vector<std::shared_ptr<const Source>> sources,
                      const Source& layout_source, Architecture architecture,
                      const LayerRoute& route, const Communicator& group, DType dtype)
        : CandidateModel(std::move(sources), layout_source, std::move(architecture), route, group,
                         dtype, ArenaUse::layout),
          log_(log),
          inner_(std::move(inner)) {}

    Log& log_;
    std::unique_ptr<CandidateModel> inner_;
};

class ModelEvaluatorTest : public ::testing::Test {
  protected:
    Candidate candidate() const {
        Candidate candidate;
        candidate.genome = initial_genome(search_.space()->genes());
        return candidate;
    }
    /// Another one, of another method.
    Candidate next_candidate() const {
        Candidate next = candidate();
        next.id = 1;
        next.genome.at(0) = 2;
        return next;
    }
    /// Of the group's root: the next candidate is known when it has asked `after` times.
    EvaluationHooks foretelling(int after) const {
        if (!group_.is_root()) return {};
        return {{}, [this, after, asked = 0]() mutable -> std::optional<Candidate> {
                    if (++asked <= after) return std::nullopt;
                    return next_candidate();
                }};
    }

    Communicator group_ = Communicator::world();
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
    auto evaluator = search_.evaluator(group_, FailingCandidate<Error>::factory());
    const auto result = evaluator.evaluate(candidate(), {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, CandidateStatus::failed);
    EXPECT_EQ(result->reason, "the merge failed (a test) again");
}

TEST_F(ModelEvaluatorTest, AFaultOfTheMachineIsNoCandidatesFault) {
    auto evaluator = search_.evaluator(group_, FailingCandidate<MachineError>::factory());
    EXPECT_THROW(evaluator.evaluate(candidate(), {}), MachineError);
}

/// On all ranks, as soon as the root knows, and once.
TEST_F(ModelEvaluatorTest, ACandidateIsPreparedWhileTheOneBeforeIsEvaluated) {
    for (const int after : {0, 1}) {
        SCOPED_TRACE(after);
        ForetoldCandidate::Log log;
        auto evaluator = search_.evaluator(group_, ForetoldCandidate::factory(log));
        const auto result = evaluator.evaluate(candidate(), foretelling(after));
        ASSERT_TRUE(result);
        ASSERT_EQ(log.foretold.size(), 1u);
        const auto next = evaluator.evaluate(next_candidate(), foretelling(1000));
        EXPECT_EQ(log.foretold.size(), 1u);
        EXPECT_NE(log.merged.at(0), log.foretold[0]);
        EXPECT_EQ(log.merged.at(1), log.foretold[0]);
        EXPECT_EQ(result->fitness,
                  search_.evaluator(group_, make_cpu_candidate).evaluate(candidate(), {})->fitness);
    }
}

TEST_F(ModelEvaluatorTest, WhatFailsWhileItIsPreparedIsNotTheCandidatesFaultThatIsEvaluated) {
    ForetoldCandidate::Log log;
    auto evaluator = search_.evaluator(group_, ForetoldCandidate::factory(log));
    log.on_prepare = [] { throw Error("the merge failed"); };
    EXPECT_EQ(evaluator.evaluate(candidate(), foretelling(0))->status, CandidateStatus::evaluated);
    EXPECT_EQ(evaluator.evaluate(next_candidate(), {})->status, CandidateStatus::evaluated);
    EXPECT_EQ(log.foretold.size(), 1u);
    EXPECT_EQ(log.merged.size(), 2u);
    log.on_prepare = [] { throw MachineError("the GPU failed"); };
    EXPECT_THROW(evaluator.evaluate(candidate(), foretelling(0)), MachineError);
}

/// Genomes of the path space with these steps taken, of a0 a1 b0 b1 a0 a1 b0 b1.
std::vector<Genome> path_genomes(const SearchSpace& space) {
    std::vector<Genome> genomes;
    for (const std::vector<std::size_t>& steps :
         std::vector<std::vector<std::size_t>>{{0, 1}, {0, 3}, {0, 1, 6, 7}, {2}, {0, 3}}) {
        genomes.push_back(initial_genome(space.genes()));
        for (std::size_t step = 0; step < 8; ++step)
            genomes.back()[step] = std::count(steps.begin(), steps.end(), step) > 0 ? 1 : 0;
    }
    genomes.back()[8 + 3] = 0.5;  // the scale of step 3
    return genomes;
}

TEST_F(ModelEvaluatorTest, LayerPathsDontDependOnThoseBefore) {
    const auto space = search_.path_space();
    auto evaluator = search_.evaluator({}, make_cpu_candidate, space);
    std::set<double> fitnesses;
    for (const Genome& genome : path_genomes(*space)) {
        Candidate path;
        path.genome = genome;
        const auto result = evaluator.evaluate(path, {});
        ASSERT_TRUE(result);
        EXPECT_EQ(result->status, CandidateStatus::evaluated) << result->reason;
        auto fresh = search_.evaluator({}, make_cpu_candidate, space);
        EXPECT_EQ(result->answers, fresh.evaluate(path, {})->answers);
        fitnesses.insert(result->fitness);
    }
    EXPECT_EQ(fitnesses.size(), path_genomes(*space).size());
}

TEST_F(ModelEvaluatorTest, APathOfNoModelFailsAlone) {
    const auto space = search_.path_space();
    auto evaluator = search_.evaluator({}, make_cpu_candidate, space);
    Candidate path;
    path.genome = initial_genome(space->genes());
    const auto before = evaluator.evaluate(path, {});
    std::fill_n(path.genome.begin(), 8, 0.0);
    const auto result = evaluator.evaluate(path, {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, CandidateStatus::failed);
    EXPECT_NE(result->reason.find("takes no layer"), std::string::npos) << result->reason;
    path.genome = initial_genome(space->genes());
    EXPECT_EQ(evaluator.evaluate(path, {})->answers, before->answers);
}

}  // namespace
}  // namespace galapagos
