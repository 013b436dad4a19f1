#include "forecast/machine.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/clock.hpp"
#include "base/parallel.hpp"
#include "model/linear.hpp"

namespace galapagos {
namespace {

/// Seconds of the fastest call within a tenth of a second.
template <class Work>
double fastest(Work&& work) {
    work();  // touches the memory, wakes the threads
    double best = 1e9;
    const Stopwatch total;
    do {
        const Stopwatch watch;
        work();
        best = std::min(best, watch.seconds());
    } while (total.seconds() < 0.1);
    return best;
}

template <class T>
double measure_flops(std::int64_t rows, std::int64_t in, std::int64_t out) {
    const std::vector<T> weight(static_cast<std::size_t>(in * out));
    const std::vector<T> input(static_cast<std::size_t>(rows * in));
    std::vector<T> output(static_cast<std::size_t>(rows * out));
    const Linear<T> layer{weight.data(), nullptr, out, in};
    const double seconds = fastest([&] { linear(layer, input.data(), rows, output.data()); });
    return 2.0 * static_cast<double>(rows * in * out) / seconds;
}

double measure_bandwidth() {
    constexpr std::int64_t bytes = std::int64_t{128} << 20;
    std::vector<char> from(bytes, 1), to(bytes);
    const double seconds = fastest([&] {
        parallel_for(0, bytes, bytes / 64, [&](std::int64_t first, std::int64_t last) {
            std::memcpy(to.data() + first, from.data() + first,
                        static_cast<std::size_t>(last - first));
        });
    });
    return 2.0 * bytes / seconds;
}

}  // namespace

MachineFigures measure_cpu(DType dtype, int rows, int in, int out) {
    const double flops = dtype == DType::bf16 ? measure_flops<Bf16>(rows, in, out)
                                              : measure_flops<float>(rows, in, out);
    return {flops, measure_bandwidth(), 0, 0, "measured on this processor now"};
}

MachineFigures assumed_gpu() {
    return {0.4 * 989e12, 0.7 * 3.35e12, 0.7 * 63e9, 0.7 * 450e9,
            "assumed: 40 % of 989 TFLOPS, 70 % of 3.35 TB/s, of PCIe 5's 63 and NVLink's 450 GB/s, "
            "an H100 SXM"};
}

}  // namespace galapagos
