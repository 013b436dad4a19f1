// What the parts of a device pass share.
#pragma once

#include <cstdint>

#include "comm/tensor_group.hpp"
#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"

namespace galapagos::cuda {

template <typename T>
struct PassContext {
    DeviceWork<T>& work;
    TensorGroup& group;
    PassMemory memory;
    float* sums = nullptr;  ///< [tokens, hidden]: this rank's share of a sum over the ranks

    /// output[rows, out] = input * weight^T + bias.
    void linear(const Linear<T>& layer, const T* input, std::int64_t rows, T* output) {
        const Product<T> product{layer, output};
        work.multiply(input, rows, {&product, 1});
    }

    /// The same where every rank holds a slice of the inputs.
    void sliced_linear(const Linear<T>& layer, const T* input, std::int64_t rows, T* output) {
        if (group.size() == 1) return linear(layer, input, rows, output);
        work.multiply_partial(layer, input, rows, sums);
        finish_sums(rows, layer.out, layer.bias, output);
    }

    /// output[rows, width] = the ranks' shares + bias (or null).
    void finish_sums(std::int64_t rows, std::int64_t width, const T* bias, T* output) {
        if (group.size() > 1) work.sum_over_ranks(sums, rows * width);
        work.run(RoundSums<T>{{rows, width}, sums, bias, output});
    }
};

}  // namespace galapagos::cuda
