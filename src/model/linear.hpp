#pragma once

#include <cstdint>

#include "model/kernels/row_kernels.hpp"

namespace galapagos {

/// A matrix product's weights, as they lie in the arena: [out, in] row-major, bias [out] or null.
template <typename T>
struct Linear {
    const T* weight = nullptr;
    const T* bias = nullptr;
    int64_t out = 0;
    int64_t in = 0;
};

/// output[rows, out] = T(input[rows, in] * weight^T + bias).
template <typename T>
void linear(const Linear<T>& layer, const T* input, int64_t rows, T* output);

/// output[rows, out] = input * weight^T in fp32, without bias: one rank's share of a row-parallel
/// product. `scratch` holds rows * out elements.
template <typename T>
void linear_partial(const Linear<T>& layer, const T* input, int64_t rows, T* scratch,
                    float* output);

}  // namespace galapagos
