#include "model/rank_sum.hpp"

#include "model/for_each_row.hpp"

namespace galapagos {

template <typename T>
void RankSum<T>::linear(const Linear<T>& layer, const T* input, int64_t rows, T* output) {
    if (group_.size() == 1) {
        galapagos::linear(layer, input, rows, output);
        return;
    }
    linear_partial(layer, input, rows, partial_.data());
    finish(rows, layer.out, layer.bias, output);
}

template <typename T>
void RankSum<T>::finish(int64_t rows, int64_t width, const T* bias, T* output) {
    if (group_.size() > 1)
        group_.all_reduce_sum({partial_.data(), static_cast<size_t>(rows * width)});
    for_each_row(rows, width, [&](int64_t row) {
        row_kernels<T>().round_sum(partial_.data() + row * width, bias, output + row * width,
                                   width);
    });
}

template class RankSum<float>;
template class RankSum<Bf16>;

}  // namespace galapagos
