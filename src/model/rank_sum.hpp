#pragma once

#include "comm/tensor_group.hpp"
#include "model/buffer.hpp"
#include "model/linear.hpp"

namespace galapagos {

/// Sums over the ranks of a tensor-parallel group, in fp32, rounded once.
template <typename T>
class RankSum {
  public:
    /// `elements`: the most that are summed at once; none are needed for `linear` on one rank.
    RankSum(TensorGroup& group, int64_t elements) : group_(group), partial_(elements) {}

    /// output[rows, out] = input * weight^T + bias, every rank holding a slice of the inputs.
    void linear(const Linear<T>& layer, const T* input, int64_t rows, T* output);

    /// Where a rank puts its share before `finish`.
    float* partial() { return partial_.data(); }

    /// output[rows, width] = sum of the shares + bias (or null), on every rank.
    void finish(int64_t rows, int64_t width, const T* bias, T* output);

  private:
    TensorGroup& group_;
    Buffer<float> partial_;
};

}  // namespace galapagos
