#include "forecast/timing.hpp"

#include <algorithm>
#include <cmath>

namespace galapagos {

double workload_seconds(const Architecture& architecture, const DecoderOptions& options,
                        const Workload& workload, const MachineFigures& rank, int width) {
    double seconds = 0;
    for (const auto& pass : workload.passes) {
        const double work =
            std::max(pass_flops(architecture, pass) / (width * rank.flops),
                     pass_bytes(architecture, options.dtype, pass) / (width * rank.bandwidth));
        const SumTime sums =
            rank.link > 0 ? pass_sums(architecture, options, width, pass) : SumTime{};
        const double summing = sums.collectives > 0
                                   ? sums.bytes / rank.link + sums.collectives * collective_seconds
                                   : 0;
        seconds += sums.beside ? std::max(work, summing) : work + summing;
    }
    return seconds;
}

TimeSpread spread_of(const std::vector<double>& seconds) {
    const auto logarithm = [](double value) { return std::log(std::max(1e-9, value)); };
    double sum = 0, logs = 0, squares = 0;
    for (const double value : seconds) {
        sum += value;
        logs += logarithm(value);
    }
    const auto count = static_cast<double>(seconds.size());
    for (const double value : seconds) squares += std::pow(logarithm(value) - logs / count, 2);
    return {sum / count, std::sqrt(squares / count)};
}

}  // namespace galapagos
