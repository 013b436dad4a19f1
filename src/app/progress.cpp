#include "app/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

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

}  // namespace

ProgressPrinter::ProgressPrinter() : live_(::isatty(STDOUT_FILENO) == 1) {}

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
