#include "model/linear.hpp"

#include <type_traits>

#include "model/torch_types.hpp"

namespace galapagos {

template <typename T>
void linear(const Linear<T>& layer, const T* input, int64_t rows, T* output) {
    if (rows == 0 || layer.out == 0) return;
    const at::Tensor x = tensor_over(input, {rows, layer.in});
    const at::Tensor weight = tensor_over(layer.weight, {layer.out, layer.in}).t();
    at::Tensor y = tensor_over(output, {rows, layer.out});
    if (layer.bias == nullptr)
        at::mm_out(y, x, weight);
    else
        at::addmm_out(y, tensor_over(layer.bias, {layer.out}), x, weight);
}

template <typename T>
void linear_partial(const Linear<T>& layer, const T* input, int64_t rows,
                    [[maybe_unused]] T* scratch, float* output) {
    const Linear<T> without_bias{layer.weight, nullptr, layer.out, layer.in};
    if constexpr (std::is_same_v<T, float>) {
        linear(without_bias, input, rows, output);
    } else {
        linear(without_bias, input, rows, scratch);
        row_kernels<T>().widen(scratch, output, rows * layer.out);
    }
}

template void linear<float>(const Linear<float>&, const float*, int64_t, float*);
template void linear<Bf16>(const Linear<Bf16>&, const Bf16*, int64_t, Bf16*);
template void linear_partial<float>(const Linear<float>&, const float*, int64_t, float*, float*);
template void linear_partial<Bf16>(const Linear<Bf16>&, const Bf16*, int64_t, Bf16*, float*);

}  // namespace galapagos
