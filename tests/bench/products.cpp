// GFLOP/s of matrix products on one thread, on shapes of SmolLM2-135M and a larger one, by the
// kernels of every instruction set that this processor has and by libtorch:
//
//   products [ROUNDS]
//
// By the thread's time on the processor, the best of the rounds (default 7), which alternate.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "model/kernels/matrix_kernels.hpp"

namespace galapagos {
namespace {

struct Shape {
    int64_t rows, in, out;
};
constexpr Shape shapes[] = {{1024, 576, 1536}, {1024, 1536, 576}, {128, 576, 49152},
                            {32, 576, 1536},   {32, 1536, 576},   {32, 576, 49152},
                            {8, 576, 1536},    {1, 576, 1536},    {256, 4096, 4096}};

struct Way {
    std::string name;
    std::function<void()> multiply;
    double seconds = 1e30;
};

double thread_seconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The operands of a shape in one type, and all ways to multiply them.
template <typename T>
void add_ways(const Shape& shape, at::ScalarType type, const char* name, std::vector<Way>& ways) {
    const at::Tensor input = at::randn({shape.rows, shape.in}).to(type);
    const at::Tensor weight = at::randn({shape.out, shape.in}).to(type);
    const at::Tensor output = at::empty({shape.rows, shape.out}, type);
    const auto add = [&](const MatrixKernels<T>& kernels) {
        ways.push_back({std::string(name) + " " + kernels.name, [=, &kernels] {
                            kernels.multiply({static_cast<const T*>(input.data_ptr()), shape.rows,
                                              static_cast<const T*>(weight.data_ptr()), nullptr,
                                              shape.in, shape.out, 0, shape.out,
                                              static_cast<T*>(output.data_ptr()), nullptr});
                        }});
    };
    const MatrixKernels<T>* added = &matrix_kernels<T>(InstructionSet::portable);
    for (const InstructionSet set : supported_instruction_sets())
        if (const auto* kernels = &matrix_kernels<T>(set); kernels != added)
            add(*(added = kernels));
    if constexpr (std::is_same_v<T, Bf16>)
        if (const auto* dot = dot_product_kernels()) add(*dot);
    ways.push_back({std::string(name) + " libtorch", [=] { at::linear(input, weight); }});
}

void measure(const Shape& shape, int rounds) {
    std::vector<Way> ways;
    add_ways<Bf16>(shape, at::kBFloat16, "bf16", ways);
    add_ways<float>(shape, at::kFloat, "fp32", ways);
    const double work = 2.0 * static_cast<double>(shape.rows * shape.in * shape.out);
    const int repeats = std::max(1, static_cast<int>(1e9 / work));
    for (int round = 0; round <= rounds; ++round)
        for (Way& way : ways) {
            const double begin = thread_seconds();
            for (int i = 0; i < repeats; ++i) way.multiply();
            const double seconds = (thread_seconds() - begin) / repeats;
            if (round > 0) way.seconds = std::min(way.seconds, seconds);
        }
    std::printf("%5ld x %5ld -> %5ld:", static_cast<long>(shape.rows), static_cast<long>(shape.in),
                static_cast<long>(shape.out));
    for (const Way& way : ways)
        std::printf("  %s %.1f", way.name.c_str(), work / way.seconds / 1e9);
    std::printf("\n");
    std::fflush(stdout);
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) {
    at::set_num_threads(1);
    const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 7;
    for (const auto& shape : galapagos::shapes) galapagos::measure(shape, rounds);
}
