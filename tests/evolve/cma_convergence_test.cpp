#include "evolve/cma_oracle.hpp"

namespace galapagos {
namespace {

INSTANTIATE_TEST_SUITE_P(Quick, CmaConvergence,
                         ::testing::Values(Oracle{"sphere", sphere, 5, 3, 2, 708, 51},
                                           Oracle{"sphere", sphere, 10, 3, 2, 1454, 51},
                                           Oracle{"ellipsoid", ellipsoid, 5, 3, 2, 1495, 51},
                                           Oracle{"ellipsoid", ellipsoid, 10, 3, 2, 4040, 51},
                                           Oracle{"cigar", cigar, 5, 3, 2, 1701, 51},
                                           Oracle{"cigar", cigar, 10, 3, 2, 3977, 51},
                                           Oracle{"tablet", tablet, 5, 3, 2, 1303, 51},
                                           Oracle{"tablet", tablet, 10, 3, 2, 3045, 51},
                                           Oracle{"rosenbrock", rosenbrock, 5, 0, 0.5, 1636, 42},
                                           Oracle{"rosenbrock", rosenbrock, 10, 0, 0.5, 5023, 45}));

TEST(CmaConvergence, DoesNotDependOnTheCoordinates) {
    RandomStream random(3, 0, Purpose::test, 0);
    Eigen::MatrixXd basis(10, 10);
    for (Eigen::Index i = 0; i < 10; ++i) {
        Eigen::VectorXd axis = normal_vector(10, random);
        for (Eigen::Index j = 0; j < i; ++j) {
            axis -= axis.dot(basis.row(j)) * basis.row(j).transpose();
        }
        basis.row(i) = axis.normalized();
    }
    const Convergence plain = measure_convergence(ellipsoid, 10, 3, 2);
    const Convergence rotated = measure_convergence(
        [&](const Eigen::VectorXd& x) { return ellipsoid(basis * x); }, 10, 3, 2);
    EXPECT_EQ(rotated.successes, 51);
    EXPECT_NEAR(rotated.median / plain.median, 1.0, 0.05);
}

}  // namespace
}  // namespace galapagos
