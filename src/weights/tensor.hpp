// Views of tensors in memory: they own nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weights/dtype.hpp"

namespace galapagos {

/// Sizes of the dimensions, slowest first. Empty for a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the sizes; 1 for a scalar.
std::int64_t element_count(const Shape& shape) noexcept;

/// "[4, 8]", for messages.
std::string to_string(const Shape& shape);

/// A read-only, row-major, contiguous tensor. `data` may have any alignment when it lies in a
/// mapped file.
struct TensorView {
    const std::byte* data = nullptr;
    DType dtype = DType::f32;
    Shape shape;

    std::int64_t numel() const noexcept { return element_count(shape); }
    std::size_t bytes() const noexcept {
        return static_cast<std::size_t>(numel()) * size_of(dtype);
    }
    std::span<const std::byte> span() const noexcept { return {data, bytes()}; }
};

/// A writable, row-major, contiguous tensor.
struct MutableTensorView {
    std::byte* data = nullptr;
    DType dtype = DType::f32;
    Shape shape;

    std::int64_t numel() const noexcept { return element_count(shape); }
    std::size_t bytes() const noexcept {
        return static_cast<std::size_t>(numel()) * size_of(dtype);
    }
    std::span<std::byte> span() const noexcept { return {data, bytes()}; }
    operator TensorView() const { return {data, dtype, shape}; }
};

/// A tensor to be made: what it is called, how its elements are stored, how large it is.
struct TensorSpec {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;

    std::size_t bytes() const noexcept {
        return static_cast<std::size_t>(element_count(shape)) * size_of(dtype);
    }
};

}  // namespace galapagos
