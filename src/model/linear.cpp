#include "model/linear.hpp"

#include <algorithm>

#include "model/for_each_range.hpp"
#include "model/kernels/matrix_kernels.hpp"

namespace galapagos {
namespace {

/// Multiply-adds that are worth waking another thread for.
constexpr int64_t work_per_task = 1 << 17;

/// Cuts the columns of all tasks, one task after the other, into one range a thread.
template <typename T>
void run_tasks(std::span<const MatrixTask<T>> tasks, bool transposed) {
    const MatrixKernels<T>& kernels = matrix_kernels<T>();
    const int64_t unit = kernels.unit;
    const auto units_of = [unit](int64_t columns) { return (columns + unit - 1) / unit; };
    int64_t total = 0;
    for (const MatrixTask<T>& task : tasks) total += units_of(task.out);
    const int64_t work_per_unit = std::max<int64_t>(1, tasks[0].rows * tasks[0].in * unit);
    const int64_t grain = std::max<int64_t>(1, work_per_task / work_per_unit);
    for_each_range(0, total, grain, [&](int64_t first, int64_t last, int) {
        int64_t offset = 0;
        for (MatrixTask<T> part : tasks) {
            const int64_t units = units_of(part.out);
            part.first = std::clamp<int64_t>(first - offset, 0, units) * unit;
            part.last = std::min(part.out, std::clamp<int64_t>(last - offset, 0, units) * unit);
            if (part.first < part.last)
                transposed ? kernels.multiply_transposed(part) : kernels.multiply(part);
            offset += units;
        }
    });
}

}  // namespace

template <typename T>
void multiply(const T* input, int64_t rows, std::span<const Product<T>> products) {
    constexpr size_t most = 4;
    if (rows == 0) return;
    MatrixTask<T> tasks[most];
    for (size_t i = 0; i < products.size(); ++i) {
        const Linear<T>& layer = products[i].layer;
        tasks[i] = {input,     rows, layer.weight, layer.bias,         layer.in,
                    layer.out, 0,    layer.out,    products[i].output, nullptr};
    }
    run_tasks<T>({tasks, products.size()}, products.front().layer.transposed);
}

template <typename T>
void linear_partial(const Linear<T>& layer, const T* input, int64_t rows, float* output) {
    if (rows == 0) return;
    const MatrixTask<T> task{input,     rows, layer.weight, nullptr, layer.in,
                             layer.out, 0,    layer.out,    nullptr, output};
    run_tasks<T>({&task, 1}, layer.transposed);
}

template void multiply<float>(const float*, int64_t, std::span<const Product<float>>);
template void multiply<Bf16>(const Bf16*, int64_t, std::span<const Product<Bf16>>);
template void linear_partial<float>(const Linear<float>&, const float*, int64_t, float*);
template void linear_partial<Bf16>(const Linear<Bf16>&, const Bf16*, int64_t, float*);

}  // namespace galapagos
