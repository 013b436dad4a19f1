// CMA-ES against pycma: constants, and single generations replayed (data/make_cma_reference.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/json.hpp"
#include "evolve/cma_distribution.hpp"

namespace galapagos {
namespace {

const nlohmann::json& reference() {
    static const nlohmann::json data = [] {
        const std::string path = std::string(std::getenv("GALAPAGOS_SOURCE_DIR")) +
                                 "/tests/evolve/data/cma_reference.json";
        return parse_json_strict(read_text(path), path);
    }();
    return data;
}

Eigen::VectorXd vector_of(const nlohmann::json& list) {
    const auto values = list.get<std::vector<double>>();
    return Eigen::Map<const Eigen::VectorXd>(values.data(),
                                             static_cast<Eigen::Index>(values.size()));
}

Eigen::MatrixXd matrix_of(const nlohmann::json& rows) {
    Eigen::MatrixXd matrix(rows.size(), rows.at(0).size());
    for (size_t i = 0; i < rows.size(); ++i) {
        matrix.row(static_cast<Eigen::Index>(i)) = vector_of(rows[i]);
    }
    return matrix;
}

CmaDistribution::State state_of(const nlohmann::json& record) {
    CmaDistribution::State state;
    state.mean = vector_of(record.at("mean"));
    state.sigma = record.at("sigma");
    state.covariance = matrix_of(record.at("covariance"));
    state.path_sigma = vector_of(record.at("path_sigma"));
    state.path_c = vector_of(record.at("path_c"));
    state.axes = matrix_of(record.at("axes"));
    state.lengths = vector_of(record.at("lengths"));
    state.generation = record.at("generation");
    return state;
}

/// Largest difference in units of the largest element.
double difference(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
    return (a - b).cwiseAbs().maxCoeff() / b.cwiseAbs().maxCoeff();
}

void replay(const nlohmann::json& run) {
    const auto constants = cma_constants(run.at("n"), run.at("population"), true);
    for (const auto& record : run.at("records")) {
        CmaDistribution distribution(constants, vector_of(record.at("before").at("mean")), 1.0);
        distribution.set_state(state_of(record.at("before")));
        distribution.update(matrix_of(record.at("ranked")).transpose(),
                            record.at("injected").get<std::vector<bool>>());
        const auto& after = record.at("after");
        const auto& state = distribution.state();
        SCOPED_TRACE("n " + run.at("n").dump() + ", generation " + after.at("generation").dump());
        EXPECT_EQ(state.generation, after.at("generation").get<uint64_t>());
        EXPECT_LT(difference(state.mean, vector_of(after.at("mean"))), 1e-12);
        EXPECT_NEAR(state.sigma / after.at("sigma").get<double>(), 1.0, 1e-12);
        EXPECT_LT(difference(state.covariance, matrix_of(after.at("covariance"))), 1e-12);
        EXPECT_LT(difference(state.path_sigma, vector_of(after.at("path_sigma"))), 1e-12);
        EXPECT_LT(difference(state.path_c, vector_of(after.at("path_c"))), 1e-12);
    }
}

TEST(CmaReference, ConstantsAgreeWithPycma) {
    for (const auto& expected : reference().at("constants")) {
        const size_t n = expected.at("n");
        SCOPED_TRACE(n);
        ASSERT_EQ(default_cma_population(n), expected.at("population").get<size_t>());
        const CmaConstants c = cma_constants(n, default_cma_population(n), true);
        EXPECT_NEAR(c.mu_eff, expected.at("mu_eff"), 1e-9);
        EXPECT_NEAR(c.c_sigma, expected.at("c_sigma"), 1e-9);
        EXPECT_NEAR(c.d_sigma, expected.at("d_sigma"), 1e-9);
        EXPECT_NEAR(c.c_c, expected.at("c_c"), 1e-9);
        EXPECT_NEAR(c.c_1, expected.at("c_1"), 1e-9);
        EXPECT_NEAR(c.c_mu, expected.at("c_mu"), 1e-9);
        EXPECT_NEAR(c.chi_n, expected.at("chi_n"), 1e-9);
        ASSERT_EQ(c.weights.size(), expected.at("weights").size());
        for (size_t i = 0; i < c.weights.size(); ++i) {
            EXPECT_NEAR(c.weights[i], expected.at("weights")[i], 1e-9) << i;
        }
    }
}

TEST(CmaReference, ConstantsAgreeWithPublishedNumbers) {
    const CmaConstants c = cma_constants(10, 10, true);
    EXPECT_NEAR(c.mu_eff, 3.167299, 1e-6);
    EXPECT_NEAR(c.chi_n, 3.084727, 1e-6);
    EXPECT_NEAR(c.c_sigma, 0.319614, 1e-6);
    EXPECT_NEAR(c.d_sigma, 1.319614, 1e-6);
    EXPECT_NEAR(c.c_c, 0.294990, 1e-6);
    EXPECT_NEAR(c.c_1, 0.015284, 1e-6);
    EXPECT_NEAR(c.c_mu, 0.023552, 1e-6);
    const double weights[] = {0.456273,  0.270753,  0.162231,  0.085234,  0.025510,
                              -0.080013, -0.221764, -0.344555, -0.452864, -0.549750};
    for (size_t i = 0; i < 10; ++i) {
        EXPECT_NEAR(c.weights[i], weights[i], 1e-6) << i;
    }
}

TEST(CmaReference, WithoutActiveUpdateNoWeightIsNegative) {
    const CmaConstants c = cma_constants(10, 10, false);
    for (size_t i = c.mu; i < c.weights.size(); ++i) {
        EXPECT_EQ(c.weights[i], 0.0);
    }
}

TEST(CmaReference, OneGenerationAgreesWithPycma) {
    for (const auto& run : reference().at("replays")) {
        replay(run);
    }
}

TEST(CmaReference, InjectedSolutionsGetNoNegativeWeight) {
    for (const auto& run : reference().at("injections")) {
        replay(run);
    }
}

}  // namespace
}  // namespace galapagos
