// One matrix product of the device, as plain loops.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galapagos::emulator {

enum class Element { f32, bf16 };

struct Matrix {
    const void* address = nullptr;  ///< of the device
    Element element = Element::f32;
    std::uint64_t rows = 0, columns = 0;
    std::int64_t leading = 0;  ///< elements from column to column
};

/// result = alpha * op(a) * b + beta * c + bias, rounded once. Sums are made in double precision:
/// in which order a GPU makes them is its own business.
struct MatrixProduct {
    Matrix a, b, c, result;
    bool transpose_a = false;
    float alpha = 1, beta = 0;
    const void* bias = nullptr;  ///< one of the result's element for each row, or nothing

    /// Throws Fault if a matrix is not all in one allocation.
    void run() const;
};

std::size_t bytes_of(Element element);
/// What a matrix takes from its first to its last element.
std::size_t bytes_of(const Matrix& matrix);

}  // namespace galapagos::emulator
