// What the parts of a device pass share.
#pragma once

#include <cstdint>

#include "comm/tensor_group.hpp"
#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"
#include "model/decoder.hpp"

namespace galapagos::cuda {

template <typename T>
struct PassContext {
    DeviceWork<T>& work;
    TensorGroup& group;
    Reductions reductions;
    PassMemory memory;
    /// Whether the host may wait for the device on the way: not in a step that is recorded.
    bool may_wait = true;
    /// Of a sum over the ranks: [ranks][tokens, hidden], or [1] where it is made in place.
    float* shares = nullptr;

    /// output[rows, out] = input * weight^T + bias.
    void linear(const Linear<T>& layer, const T* input, std::int64_t rows, T* output) {
        const Product<T> product{layer, output};
        work.multiply(input, rows, {&product, 1});
    }

    /// The same where every rank holds a slice of the inputs.
    void sliced_linear(const Linear<T>& layer, const T* input, std::int64_t rows, T* output) {
        if (group.size() == 1) return linear(layer, input, rows, output);
        work.multiply_partial(layer, input, rows, own_share(rows * layer.out));
        finish_sums(rows, layer.out, layer.bias, output);
    }

    bool sums_in_place() const { return group.size() > 1 && reductions == Reductions::fast; }

    /// Adds the memory of sums over so many ranks, of at most `elements`.
    void add_shares(std::int64_t ranks, std::int64_t elements) {
        memory.add(shares, (reductions == Reductions::fast ? 1 : ranks) * elements);
    }

    /// Where this rank's share of a sum of some elements belongs: among those of the others.
    float* own_share(std::int64_t elements) {
        return sums_in_place() ? shares : shares + group.rank() * elements;
    }

    /// What is left to add up of all ranks' shares, once this rank's is in its place.
    RankShares join_shares(std::int64_t elements) {
        if (sums_in_place()) {
            work.sum_shares(shares, elements);
            return {shares, 1, elements};
        }
        if (group.size() > 1) work.gather_shares(shares, elements);
        return {shares, group.size(), elements};
    }

    /// output[rows, width] = the ranks' shares + bias (or null).
    void finish_sums(std::int64_t rows, std::int64_t width, const T* bias, T* output) {
        work.run(RoundSums<T>{{rows, width}, join_shares(rows * width), bias, output});
    }
};

}  // namespace galapagos::cuda
