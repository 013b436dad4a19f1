// What the parts of a device pass share.
#pragma once

#include <cstdint>
#include <span>

#include "comm/tensor_group.hpp"
#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"
#include "model/cuda/rank_sums.hpp"

namespace galapagos::cuda {

template <typename T>
struct PassContext {
    DeviceWork<T>& work;
    TensorGroup& group;
    RankSums<T> sums;
    PassMemory memory = {};
    /// What ranks exchange lies apart, and is as large on all of them.
    PassMemory exchanged = {};
    /// Whether the host may wait for the device on the way: not in a step that is recorded.
    bool may_wait = true;

    /// Each output[rows, out] = input * weight^T + bias.
    void multiply(const T* input, std::int64_t rows, std::span<const Product<T>> products) {
        if (MultiplyRow<T>::takes(rows, products)) return work.run(MultiplyRow<T>(input, products));
        work.multiply(input, rows, products);
    }
    void linear(const Linear<T>& layer, const T* input, std::int64_t rows, T* output) {
        const Product<T> product{layer, output};
        multiply(input, rows, {&product, 1});
    }

    /// The same where every rank holds a slice of the inputs. Several ranks' output is there when
    /// the sum of the part is awaited.
    void sliced_linear(const Linear<T>& layer, const T* input, const PassPart& part, T* output) {
        if (group.size() == 1) return linear(layer, input, part.rows, output);
        work.multiply_partial(layer, input, part.rows, sums.own_share(part, layer.out));
        finish_sums(part, layer.out, layer.bias, output);
    }

    /// output[rows, width] = the ranks' shares + bias (or null), when the sum is awaited.
    void finish_sums(const PassPart& part, std::int64_t width, const T* bias, T* output) {
        sums.finish(
            part, width, output,
            [width, bias, output](const RankShares& shares, std::int64_t first, std::int64_t rows) {
                return RoundSums<T>{{rows, width}, shares, bias, output + first * width};
            });
    }
};

}  // namespace galapagos::cuda
