// Matrix products on the GPU, through cuBLASLt.
#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "comm/cuda/stream.hpp"
#include "model/linear.hpp"

namespace galapagos::cuda {

/// How a product of some shape is made is looked up once. Sums are in fp32 (no TF32); the same
/// shapes give the same bits on every run, but a row's bits may depend on how many rows there are.
template <typename T>
class MatrixProducts {
  public:
    MatrixProducts();

    /// `product_bytes` of the device's memory, at a multiple of 256, before the first product.
    void use(std::byte* workspace) { workspace_ = workspace; }

    /// output[rows, out] = T(input * weight^T + bias).
    void multiply(const Linear<T>& layer, const T* input, std::int64_t rows, T* output,
                  const Stream& stream);
    /// output[rows, out] = input * weight^T in fp32, without bias.
    void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows, float* output,
                          const Stream& stream);

  private:
    /// What the choice of an algorithm depends on.
    struct Shape {
        std::int64_t out, in, rows;
        bool transposed, bias, wide;  ///< wide: the output is fp32 whatever T is
        std::uintptr_t alignment;     ///< of all addresses, in bytes, at most 16

        auto operator<=>(const Shape&) const = default;
    };
    struct Plan;
    struct Destroy {
        void operator()(cublasLtHandle_t handle) const { cublasLtDestroy(handle); }
    };
    /// Frees a plan, which is known where it is made.
    struct DeletePlan {
        void operator()(Plan* plan) const;
    };

    void run(const Linear<T>& layer, const T* bias, const T* input, std::int64_t rows, void* output,
             bool wide, const Stream& stream);
    /// `bias` of one of the products of this shape.
    Plan& plan_for(const Shape& shape, const T* bias);
    [[noreturn]] static void refuse(const Shape& shape);

    std::unique_ptr<cublasLtContext, Destroy> handle_;
    std::byte* workspace_ = nullptr;
    std::map<Shape, std::unique_ptr<Plan, DeletePlan>> plans_;
};

}  // namespace galapagos::cuda
