// How busy are evaluators? Islands whose evaluator only sleeps, for times that differ from
// candidate to candidate.
//
//   mpirun -n 4 --oversubscribe --bind-to none build/release/tests/bench/utilisation [ISLANDS]
//   [MEAN_MILLISECONDS]
//
// Prints, for deterministic and asynchronous mode, the time spent in evaluations over the time that
// all evaluators had, from the start of the run to the last candidate of their island.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "history/run_layout.hpp"
#include "island/run_support.hpp"
#include "island/topology.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

/// Sleeps in ten batches, like an evaluation that lets the root look at its messages between two
/// batches.
class SleepingEvaluator : public CandidateEvaluator {
  public:
    explicit SleepingEvaluator(double mean_seconds) : mean_(mean_seconds) {}

    std::optional<CandidateResult> evaluate(const Candidate& candidate,
                                            const EvaluationHooks& hooks) override {
        if (candidate.stage != Stage::train) return testing::score(candidate);
        // Log-normal times: the slowest of a generation takes two to three times the mean.
        RandomStream random(1, 0, Purpose::test, candidate.id);
        const double seconds = mean_ * std::exp(0.5 * random.normal() - 0.125);
        const Stopwatch watch;
        for (int batch = 0; batch < 10; ++batch) {
            ::usleep(static_cast<useconds_t>(seconds * 1e5));
            if (hooks.keep_going && !hooks.keep_going()) return std::nullopt;
        }
        busy += watch.seconds();
        last = unix_time();
        auto result = testing::score(candidate);
        result.evaluation_seconds = watch.seconds();
        return result;
    }

    double busy = 0;
    double last = 0;

  private:
    double mean_;
};

double measure(const ProcessLayout& layout, const std::filesystem::path& root, Mode mode,
               double mean_seconds) {
    const RunLayout run{root};
    if (layout.world.is_root())
        for (const auto& folder : {run.islands(), run.checkpoints()})
            std::filesystem::create_directories(folder);
    layout.world.barrier();
    SleepingEvaluator evaluator(mean_seconds);
    const double start = unix_time();
    if (!layout.is_island_root()) {
        serve_island_root(layout, evaluator);
    } else {
        auto islands = testing::make_islands(
            layout, run, 1,
            [&](int island) {
                auto settings = testing::search_settings(island, layout.islands, 12);
                settings.mode = mode;
                return settings;
            },
            [](int island) { return testing::make_ga(5, island, 12); });
        IslandRoot island_root(layout, evaluator, std::move(islands),
                               StopWatch(run.stop(), std::nullopt), {1, false, false}, {});
        island_root.run();
    }
    // An island's evaluators count until its own last candidate: one that has used up its budget
    // waits for nobody.
    double island_last = 0, busy = 0, available = 0;
    MPI_Allreduce(&evaluator.last, &island_last, 1, MPI_DOUBLE, MPI_MAX, layout.members.handle());
    const double mine = island_last - start;
    MPI_Allreduce(&evaluator.busy, &busy, 1, MPI_DOUBLE, MPI_SUM, layout.world.handle());
    MPI_Allreduce(&mine, &available, 1, MPI_DOUBLE, MPI_SUM, layout.world.handle());
    return busy / available;
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    using namespace galapagos;
    const MpiSession session(argc, argv);
    auto world = Communicator::world();
    const int islands = argc > 1 ? std::atoi(argv[1]) : world.size();
    const double mean_seconds = argc > 2 ? std::atof(argv[2]) / 1000 : 0.2;
    {
        const auto layout = make_process_layout(world, islands, 1);
        std::optional<testing::TemporaryFolder> folder;
        if (world.is_root()) folder.emplace();
        const std::filesystem::path base =
            world.broadcast(folder ? folder->path().string() : std::string());
        for (const Mode mode : {Mode::deterministic, Mode::asynchronous}) {
            const bool deterministic = mode == Mode::deterministic;
            const double busy =
                measure(layout, base / (deterministic ? "deterministic" : "asynchronous"), mode,
                        mean_seconds);
            if (world.is_root())
                fmt::print(
                    "{:<14} {} islands x {} evaluators, {:.0f} ms a candidate: busy {:.1f} %\n",
                    deterministic ? "deterministic" : "asynchronous", layout.islands,
                    layout.evaluators, mean_seconds * 1000, 100 * busy);
        }
    }
    world = Communicator();
    return 0;
}
