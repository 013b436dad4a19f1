#pragma once

#include <cstdint>
#include <span>

#include "model/kernels/row_kernels.hpp"

namespace galapagos {

/// A matrix product's weights, as they lie in the arena: [out, in] row-major, or [in, out] if
/// transposed; bias [out] or null.
template <typename T>
struct Linear {
    const T* weight = nullptr;
    const T* bias = nullptr;
    int64_t out = 0;
    int64_t in = 0;
    bool transposed = false;
};

/// One product of several with the same input: output = T(input * weight^T + bias), [rows, out].
template <typename T>
struct Product {
    const Linear<T>& layer;
    T* output;
};

/// Makes the products, at most four, side by side; all weights lie the same way. A row's result
/// does not depend on the other rows.
template <typename T>
void multiply(const T* input, int64_t rows, std::span<const Product<T>> products);

template <typename T>
void linear(const Linear<T>& layer, const T* input, int64_t rows, T* output) {
    const Product<T> product{layer, output};
    multiply<T>(input, rows, {&product, 1});
}

/// output[rows, out] = input * weight^T in fp32, without bias: one rank's share of a row-parallel
/// product.
template <typename T>
void linear_partial(const Linear<T>& layer, const T* input, int64_t rows, float* output);

}  // namespace galapagos
