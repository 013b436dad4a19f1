#pragma once

#include <ATen/ATen.h>

#include "model/kernels/row_kernels.hpp"

namespace galapagos {

template <typename T>
constexpr at::ScalarType scalar_type_of = at::kFloat;
template <>
inline constexpr at::ScalarType scalar_type_of<Bf16> = at::kBFloat16;

/// A tensor over memory that someone else owns.
template <typename T>
at::Tensor tensor_over(const T* data, at::IntArrayRef sizes) {
    return at::from_blob(const_cast<T*>(data), sizes, at::dtype(scalar_type_of<T>));
}
template <typename T>
at::Tensor tensor_over(const T* data, at::IntArrayRef sizes, at::IntArrayRef strides) {
    return at::from_blob(const_cast<T*>(data), sizes, strides, at::dtype(scalar_type_of<T>));
}

}  // namespace galapagos
