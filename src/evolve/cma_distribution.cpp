#include "evolve/cma_distribution.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"

namespace galapagos {

namespace {

/// Eigenvalues of C may differ by this factor before its diagonal is raised (pycma stops there).
constexpr double max_condition = 1e14;

Eigen::Index index(size_t i) { return static_cast<Eigen::Index>(i); }

}  // namespace

CmaDistribution::CmaDistribution(CmaConstants constants, Eigen::VectorXd mean, double sigma)
    : constants_(std::move(constants)) {
    const auto n = index(constants_.n);
    State first;
    first.mean = std::move(mean);
    first.sigma = sigma;
    first.covariance = Eigen::MatrixXd::Identity(n, n);
    first.path_sigma = Eigen::VectorXd::Zero(n);
    first.path_c = Eigen::VectorXd::Zero(n);
    first.axes = Eigen::MatrixXd::Identity(n, n);
    first.lengths = Eigen::VectorXd::Ones(n);
    set_state(std::move(first));
}

void CmaDistribution::set_state(State state) {
    const auto n = index(constants_.n);
    const bool sizes = state.mean.size() == n && state.covariance.rows() == n &&
                       state.covariance.cols() == n && state.path_sigma.size() == n &&
                       state.path_c.size() == n && state.axes.rows() == n &&
                       state.axes.cols() == n && state.lengths.size() == n;
    const bool finite = sizes && state.mean.allFinite() && state.covariance.allFinite() &&
                        state.path_sigma.allFinite() && state.path_c.allFinite() &&
                        state.axes.allFinite() && state.lengths.allFinite() &&
                        state.lengths.minCoeff() > 0.0 && std::isfinite(state.sigma) &&
                        state.sigma > 0.0;
    if (!finite) {
        throw Error("the state of CMA-ES is unusable",
                    sizes ? "a number in it is not finite or not positive"
                          : "it is not of " + std::to_string(n) + " genes",
                    "resume from an older checkpoint");
    }
    state_ = std::move(state);
}

Eigen::VectorXd CmaDistribution::sample(const Eigen::VectorXd& z) const {
    return state_.mean + state_.sigma * (state_.axes * state_.lengths.cwiseProduct(z));
}

double CmaDistribution::mahalanobis(const Eigen::VectorXd& x) const {
    const Eigen::VectorXd rotated = state_.axes.transpose() * (x - state_.mean);
    return rotated.cwiseQuotient(state_.lengths).norm() / state_.sigma;
}

Eigen::VectorXd CmaDistribution::limited(const Eigen::VectorXd& x) const {
    const double n = static_cast<double>(constants_.n);
    const double excess = mahalanobis(x) / (std::sqrt(n) + 2.0 * n / (n + 2.0));
    return excess > 1.0 ? Eigen::VectorXd(state_.mean + (x - state_.mean) / excess) : x;
}

void CmaDistribution::update(const Eigen::MatrixXd& ranked, const std::vector<bool>& injected) {
    const CmaConstants& c = constants_;
    if (ranked.rows() != index(c.n) || ranked.cols() != index(c.population) ||
        injected.size() != c.population) {
        throw Error("CMA-ES was told wrongly",
                    "the number of solutions or genes differs from its own");
    }
    const double n = static_cast<double>(c.n);
    ++state_.generation;

    // Steps in units of sigma, from the old mean.
    const Eigen::MatrixXd steps = (ranked.colwise() - state_.mean) / state_.sigma;
    const auto positive = Eigen::Map<const Eigen::VectorXd>(c.weights.data(), index(c.mu));
    const Eigen::VectorXd mean_step = steps.leftCols(index(c.mu)) * positive;
    state_.mean += state_.sigma * mean_step;

    // Step-size path, in coordinates in which the distribution is isotropic.
    const Eigen::VectorXd white =
        state_.axes * (state_.axes.transpose() * mean_step).cwiseQuotient(state_.lengths);
    state_.path_sigma = (1.0 - c.c_sigma) * state_.path_sigma +
                        std::sqrt(c.c_sigma * (2.0 - c.c_sigma) * c.mu_eff) * white;

    // h_sigma: while the step-size path is long, sigma is about to grow and C must not.
    const double shortfall =
        1.0 - std::pow(1.0 - c.c_sigma, 2.0 * static_cast<double>(state_.generation));
    const bool path_grows =
        state_.path_sigma.squaredNorm() / shortfall / n - 1.0 < 1.0 + 4.0 / (n + 1.0);
    state_.path_c *= 1.0 - c.c_c;
    if (path_grows) {
        state_.path_c += std::sqrt(c.c_c * (2.0 - c.c_c) * c.mu_eff) * mean_step;
    }
    update_covariance(steps, injected, path_grows);

    const double log_change = c.c_sigma / c.d_sigma * (state_.path_sigma.norm() / c.chi_n - 1.0);
    state_.sigma *= std::exp(std::min(1.0, log_change));
    if (state_.generation >= state_.decomposed_at + c.eigen_interval) {
        decompose();
    }
}

void CmaDistribution::update_covariance(const Eigen::MatrixXd& steps,
                                        const std::vector<bool>& injected, bool path_grows) {
    const CmaConstants& c = constants_;
    Eigen::VectorXd weights(index(c.population));
    double weight_sum = 0.0;
    for (size_t i = 0; i < c.population; ++i) {
        double w = c.weights[i] < 0.0 && injected[i] ? 0.0 : c.weights[i];
        weight_sum += w;
        if (w < 0.0) {
            // Bounds the weighted step, which keeps C positive definite; 1e-9 guards a zero step.
            const auto step = steps.col(index(i));
            const double length =
                (state_.axes.transpose() * step).cwiseQuotient(state_.lengths).norm() + 1e-9;
            w *= static_cast<double>(c.n) / (length * length);
        }
        weights[index(i)] = w;
    }
    // While path_c stalls, the variance it would have brought is made up for.
    const double decay = path_grows ? c.c_1 : c.c_1 * (1.0 - c.c_c * (2.0 - c.c_c));
    state_.covariance *= 1.0 - decay - c.c_mu * weight_sum;
    state_.covariance += c.c_1 * state_.path_c * state_.path_c.transpose();
    state_.covariance += c.c_mu * steps * weights.asDiagonal() * steps.transpose();
}

void CmaDistribution::decompose() {
    state_.covariance = (0.5 * (state_.covariance + state_.covariance.transpose())).eval();
    state_.decomposed_at = state_.generation;
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(state_.covariance);
    Eigen::VectorXd values = solver.eigenvalues();
    if (solver.info() != Eigen::Success || !values.allFinite() || values.maxCoeff() <= 0.0) {
        throw Error("CMA-ES lost its covariance matrix",
                    "its eigenvalues are not finite and positive",
                    "restart the search with a smaller search.optimizer.sigma");
    }
    const double least = values.minCoeff();
    const double most = values.maxCoeff();
    if (most > max_condition * least) {
        const double raise = (most - max_condition * least) / (max_condition - 1.0);
        state_.covariance.diagonal().array() += raise;
        values.array() += raise;
    }
    state_.axes = solver.eigenvectors();
    state_.lengths = values.cwiseSqrt();
}

void CmaDistribution::limit_deviation(double limit) {
    const Eigen::ArrayXd excess = deviations().array() / limit;
    if (excess.maxCoeff() <= 1.0) {
        return;
    }
    const Eigen::VectorXd scale = excess.max(1.0).inverse();
    state_.covariance = (scale.asDiagonal() * state_.covariance * scale.asDiagonal()).eval();
    state_.path_c.array() *= scale.array();
    decompose();
}

void CmaDistribution::keep_deviation(double limit) {
    const double largest = deviations().maxCoeff();
    if (largest < limit) {
        state_.sigma *= limit / largest;
    }
}

Eigen::VectorXd CmaDistribution::deviations() const {
    return state_.sigma * state_.covariance.diagonal().cwiseSqrt();
}

double CmaDistribution::condition() const {
    const double ratio = state_.lengths.maxCoeff() / state_.lengths.minCoeff();
    return ratio * ratio;
}

}  // namespace galapagos
