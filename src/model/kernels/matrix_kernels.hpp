#pragma once

#include <cstdint>

#include "model/kernels/row_kernels.hpp"
#include "weights/instruction_set.hpp"

namespace galapagos {

/// Columns [first, last) of output = input * weight^T + bias, for one thread. Weights are read as
/// they are stored, [out, in]: nothing is packed, since each candidate brings other weights.
template <typename T>
struct MatrixTask {
    const T* input;  ///< [rows, in]
    int64_t rows;
    const T* weight;  ///< [out, in]
    const T* bias;    ///< [out] or null
    int64_t in;
    int64_t out;  ///< row length of the output
    int64_t first;
    int64_t last;
    T* output;    ///< [rows, out], rounded to T; null if `wide` is given
    float* wide;  ///< [rows, out] in fp32
};

/// An element's sum is made in an order that depends on `in` alone, so a row's result has the same
/// bits whatever other rows are in the batch and however the columns are dealt out.
template <typename T>
struct MatrixKernels {
    const char* name;  ///< instruction set
    int64_t unit;      ///< columns are dealt out to threads in multiples of this many
    void (*multiply)(const MatrixTask<T>& task);
    /// The same with weights [in, out].
    void (*multiply_transposed)(const MatrixTask<T>& task);
};

/// The kernels of an instruction set that this processor has.
template <typename T>
const MatrixKernels<T>& matrix_kernels(InstructionSet set);

/// Those for bf16 that take AVX-512's dot product; null where the processor has none. They are in
/// use where they are faster than AVX-512's others.
const MatrixKernels<Bf16>* dot_product_kernels();

/// Those in use.
template <typename T>
const MatrixKernels<T>& matrix_kernels() {
    static const MatrixKernels<T>& chosen = matrix_kernels<T>(instruction_set());
    return chosen;
}

}  // namespace galapagos
