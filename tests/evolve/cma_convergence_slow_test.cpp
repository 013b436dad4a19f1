#include "evolve/cma_oracle.hpp"

namespace galapagos {
namespace {

INSTANTIATE_TEST_SUITE_P(Twenty, CmaConvergence,
                         ::testing::Values(Oracle{"sphere", sphere, 20, 3, 2, 2818, 51},
                                           Oracle{"ellipsoid", ellipsoid, 20, 3, 2, 12648, 51},
                                           Oracle{"cigar", cigar, 20, 3, 2, 8166, 51},
                                           Oracle{"tablet", tablet, 20, 3, 2, 7650, 51},
                                           Oracle{"rosenbrock", rosenbrock, 20, 0, 0.5, 15686,
                                                  45}));

}  // namespace
}  // namespace galapagos
