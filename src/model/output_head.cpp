#include "model/output_head.hpp"

#include <algorithm>
#include <limits>

#include "model/for_each_range.hpp"

namespace galapagos {
namespace {

/// Rows whose logits are held at a time: enough for an efficient product, few enough to stay small.
constexpr int64_t block_rows = 64;

}  // namespace

template <typename T>
OutputHead<T>::OutputHead(const Linear<T>& weights, Range vocabulary, double softcap,
                          TensorGroup& group)
    : weights_(weights),
      vocabulary_(vocabulary),
      softcap_(static_cast<float>(softcap)),
      group_(group),
      logits_(block_rows * vocabulary.size()) {}

template <typename T>
void OutputHead<T>::multiply_rows(const T* hidden, int64_t rows) {
    linear(weights_, hidden, rows, logits_.data());
    if (softcap_ == 0) return;
    const int64_t width = vocabulary_.size();
    for_each_range(0, rows, 1, [&](int64_t first, int64_t last, int) {
        row_kernels<T>().soft_cap(logits_.data() + first * width, (last - first) * width, softcap_);
    });
}

template <typename T>
void OutputHead<T>::summarise(std::span<const HeadQuery> queries, int64_t first_row,
                              ShardSummary* shards) {
    const int64_t count = vocabulary_.size();
    const auto summarise_range = [&](int64_t first, int64_t last, int) {
        ShardStatistics statistics{};
        int64_t known_row = -1;
        for (int64_t i = first; i < last; ++i) {
            const HeadQuery& query = queries[static_cast<size_t>(i)];
            const T* logits = logits_.data() + (query.row - first_row) * count;
            if (query.row != known_row)
                statistics = row_kernels<T>().shard_statistics(logits, count);
            known_row = query.row;
            float target = -std::numeric_limits<float>::infinity();
            if (query.target >= vocabulary_.begin && query.target < vocabulary_.end)
                row_kernels<T>().widen(logits + (query.target - vocabulary_.begin), &target, 1);
            shards[i] = {statistics.maximum,
                         statistics.argmax + static_cast<int32_t>(vocabulary_.begin),
                         statistics.sum_exp, target};
        }
    };
    for_each_range(0, static_cast<int64_t>(queries.size()), 1, summarise_range);
}

template <typename T>
void OutputHead<T>::answer(const T* hidden, std::span<const HeadQuery> queries,
                           std::span<HeadAnswer> answers) {
    const size_t total = queries.size();
    const auto ranks = static_cast<size_t>(group_.size());
    mine_.resize(total);
    all_.resize(total * ranks);
    for (size_t begin = 0; begin < total;) {
        const int64_t first_row = queries[begin].row;
        size_t end = begin;
        while (end < total && queries[end].row < first_row + block_rows) ++end;
        const int64_t rows = queries[end - 1].row - first_row + 1;
        multiply_rows(hidden + first_row * weights_.in, rows);
        summarise(queries.subspan(begin, end - begin), first_row, mine_.data() + begin);
        begin = end;
    }
    group_.all_gather(std::as_bytes(std::span(mine_)), std::as_writable_bytes(std::span(all_)));
    combine_shards(all_, queries, answers);
}

template <typename T>
void OutputHead<T>::logits(const T* hidden, int64_t rows, int64_t vocabulary, float* output) {
    const int64_t local = vocabulary_.size();
    const auto counts = group_.all_gather_values(local);
    const int64_t widest = *std::max_element(counts.begin(), counts.end());
    std::vector<float> mine(static_cast<size_t>(widest));
    std::vector<float> all(static_cast<size_t>(widest) * counts.size());
    for (int64_t row = 0; row < rows; ++row) {
        multiply_rows(hidden + row * weights_.in, 1);
        row_kernels<T>().widen(logits_.data(), mine.data(), local);
        group_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
        float* target = output + row * vocabulary;
        for (size_t rank = 0; rank < counts.size(); ++rank)
            target =
                std::copy_n(all.data() + static_cast<int64_t>(rank) * widest, counts[rank], target);
    }
}

template class OutputHead<float>;
template class OutputHead<Bf16>;

}  // namespace galapagos
