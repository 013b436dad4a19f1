// The main of every test that runs under mpirun: rank 0 prints, and the program fails when any rank
// fails.
#include <gtest/gtest.h>
#include <mpi.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace {

/// What Open MPI's plugins allocate here they keep, and some are unloaded at once, so that a report
/// would have no name by which it could be told from leaks of ours.
void start_mpi(int& argc, char**& argv) {
#ifdef __SANITIZE_ADDRESS__
    const __lsan::ScopedDisabler not_ours;
#endif
    MPI_Init(&argc, &argv);
}

/// Looks for leaks before MPI_Finalize unloads the other plugins. A leak ends the process.
void check_for_leaks() {
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check();
#endif
}

}  // namespace

int main(int argc, char** argv) {
    start_mpi(argc, argv);
    ::testing::InitGoogleTest(&argc, argv);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    if (rank != 0) delete listeners.Release(listeners.default_result_printer());
    int failed = RUN_ALL_TESTS();
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    check_for_leaks();
    MPI_Finalize();
    return failed;
}
