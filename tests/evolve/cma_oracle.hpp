// Evaluations that CMA-ES needs to reach 1e-8, against medians measured with pycma 4 and cmaes.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <ostream>

#include "evolve/test_functions.hpp"

namespace galapagos {

struct Oracle {
    const char* name;
    Function function;
    int n;
    double start, sigma;
    double best_known;       ///< the lower median of pycma 4 (active) and cmaes.CMA
    size_t least_successes;  ///< of 51
};

inline void PrintTo(const Oracle& oracle, std::ostream* out) { *out << oracle.name << oracle.n; }

class CmaConvergence : public ::testing::TestWithParam<Oracle> {};

TEST_P(CmaConvergence, IsAsFastAsTheReferences) {
    const Oracle& oracle = GetParam();
    const Convergence result =
        measure_convergence(oracle.function, oracle.n, oracle.start, oracle.sigma);
    std::printf("%s n=%d: median %.0f, reference %.0f, ratio %.3f, %zu of 51\n", oracle.name,
                oracle.n, result.median, oracle.best_known, result.median / oracle.best_known,
                result.successes);
    EXPECT_GE(result.successes, oracle.least_successes);
    EXPECT_LE(result.median, 1.08 * oracle.best_known);
}

}  // namespace galapagos
