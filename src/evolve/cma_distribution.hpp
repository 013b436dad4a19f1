#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "evolve/cma_constants.hpp"

namespace galapagos {

/// The normal distribution N(mean, sigma^2 C) that CMA-ES adapts, without any notion of bounds,
/// candidates or islands (Hansen, "The CMA evolution strategy: a tutorial", arXiv 1604.00772;
/// details such as h_sigma as in pycma 4.5).
class CmaDistribution {
  public:
    /// Everything that changes. `axes` holds C's eigenvectors in columns, `lengths` the roots of
    /// its eigenvalues; both may lag behind C by a few generations.
    struct State {
        Eigen::VectorXd mean;
        double sigma = 1.0;
        Eigen::MatrixXd covariance;
        Eigen::VectorXd path_sigma;
        Eigen::VectorXd path_c;
        Eigen::MatrixXd axes;
        Eigen::VectorXd lengths;
        uint64_t generation = 0;
        uint64_t decomposed_at = 0;
    };

    CmaDistribution(CmaConstants constants, Eigen::VectorXd mean, double sigma);

    const CmaConstants& constants() const { return constants_; }
    const State& state() const { return state_; }
    /// Throws Error when a size differs or a number is not finite.
    void set_state(State state);

    /// mean + sigma C^(1/2) z.
    Eigen::VectorXd sample(const Eigen::VectorXd& z) const;

    /// Length of x - mean measured by the distribution; about sqrt(n) for a sample.
    double mahalanobis(const Eigen::VectorXd& x) const;

    /// Moves x towards the mean until its length is at most sqrt(n) + 2n/(n+2), the bound for
    /// solutions that weren't sampled from this distribution (Hansen, "Injecting external solutions
    /// into CMA-ES", arXiv 1110.4181; the constant is pycma's).
    Eigen::VectorXd limited(const Eigen::VectorXd& x) const;

    /// One generation. Columns of `ranked` are the solutions, best first. Where `injected` is set,
    /// a negative weight is left out.
    void update(const Eigen::MatrixXd& ranked, const std::vector<bool>& injected);

    /// Scales down coordinates whose standard deviation exceeds `limit`.
    void limit_deviation(double limit);
    /// Keeps sigma from vanishing: the largest standard deviation stays at `limit` or above.
    void keep_deviation(double limit);

    /// sigma sqrt(C_ii).
    Eigen::VectorXd deviations() const;
    /// Ratio of the largest to the smallest eigenvalue of C when it was last decomposed.
    double condition() const;

  private:
    void update_covariance(const Eigen::MatrixXd& steps, const std::vector<bool>& injected,
                           bool path_grows);
    void decompose();

    CmaConstants constants_;
    State state_;
};

}  // namespace galapagos
