#include "app/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/clock.hpp"

namespace galapagos {
namespace {

std::string describe(const ProgressReport& report) {
    const double rate = report.seconds_per_candidate > 0 ? 3600 / report.seconds_per_candidate : 0;
    return fmt::format(
        "island {:>3}  generation {:>4}  evaluations {:>6}  best {:.4f}  mean {:.4f}  {:>6.0f}/h  "
        "{} left",
        report.island, report.generation, report.evaluations, report.best, report.mean, rate,
        format_duration(report.seconds_left));
}

/// Whether a person watches. Open MPI's mpirun gives every rank a pseudo-terminal, whatever its own
/// output is: there the launcher's output decides.
bool on_terminal() {
    if (::isatty(STDOUT_FILENO) != 1) return false;
    if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return true;
    std::error_code failed;
    const auto target =
        std::filesystem::read_symlink(fmt::format("/proc/{}/fd/1", ::getppid()), failed).string();
    return !failed && (target.starts_with("/dev/pts/") || target.starts_with("/dev/tty"));
}

}  // namespace

ProgressPrinter::ProgressPrinter() : live_(on_terminal()) {}

void ProgressPrinter::print(const ProgressReport& report) {
    if (!live_) {
        fmt::print("{} {}\n", utc_timestamp(), describe(report));
        std::fflush(stdout);
        return;
    }
    latest_[report.island] = report;
    if (lines_drawn_ > 0) fmt::print("\033[{}A", lines_drawn_);
    for (const auto& [island, latest] : latest_) fmt::print("\033[2K{}\n", describe(latest));
    lines_drawn_ = static_cast<int>(latest_.size());
    std::fflush(stdout);
}

void ProgressPrinter::finish() { lines_drawn_ = 0; }

}  // namespace galapagos
