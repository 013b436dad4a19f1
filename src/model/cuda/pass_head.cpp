#include "model/cuda/pass_head.hpp"

#include <algorithm>

namespace galapagos::cuda {
namespace {

/// Rows whose logits are held at a time: a decoding step's on most GPUs.
constexpr std::int64_t most_block_rows = 256;

}  // namespace

template <typename T>
PassHead<T>::PassHead(PassContext<T>& context, const Linear<T>& weights, Range vocabulary,
                      double softcap, std::int64_t tokens)
    : context_(context),
      weights_(weights),
      vocabulary_(vocabulary),
      softcap_(static_cast<float>(softcap)),
      most_queries_(tokens),
      block_rows_(std::min(most_block_rows, tokens)) {
    context.memory.add(logits_, block_rows_ * vocabulary.size());
    context.memory.add(wide_, vocabulary.size());
    context.memory.add(queries_, most_queries_);
    context.memory.add(summaries_, most_queries_);
}

template <typename T>
void PassHead<T>::answer(const T* hidden, std::span<const HeadQuery> queries,
                         std::span<HeadAnswer> answers) {
    mine_.resize(queries.size());
    all_.resize(queries.size() * static_cast<std::size_t>(context_.group.size()));
    const auto most = static_cast<std::size_t>(most_queries_);
    for (std::size_t begin = 0; begin < queries.size(); begin += most) {
        const auto part = queries.subspan(begin, std::min(most, queries.size() - begin));
        summarise(hidden, part);
        context_.work.copy_out(summaries_, part.size() * sizeof(ShardSummary),
                               mine_.data() + begin);
    }
    context_.group.all_gather(std::as_bytes(std::span(mine_)),
                              std::as_writable_bytes(std::span(all_)));
    combine_shards(all_, queries, answers);
}

/// Queues everything up to the summaries of some queries.
template <typename T>
void PassHead<T>::summarise(const T* hidden, std::span<const HeadQuery> queries) {
    asked_.clear();
    for (const HeadQuery& query : queries)
        asked_.push_back({static_cast<std::int32_t>(query.row), query.target});
    context_.work.copy_in(asked_.data(), asked_.size() * sizeof(LogitQuery), queries_);
    for (std::size_t begin = 0; begin < queries.size();) {
        const std::int64_t first_row = queries[begin].row;
        std::size_t end = begin;
        while (end < queries.size() && queries[end].row < first_row + block_rows_) ++end;
        context_.linear(weights_, hidden + first_row * weights_.in,
                        queries[end - 1].row - first_row + 1, logits_);
        SummariseLogits<T> job;
        job.logits = logits_;
        job.width = vocabulary_.size();
        job.first_id = vocabulary_.begin;
        job.first_row = first_row;
        job.softcap = softcap_;
        job.queries = queries_ + begin;
        job.summaries = summaries_ + begin;
        job.count = static_cast<std::int64_t>(end - begin);
        context_.work.run(job);
        begin = end;
    }
}

template <typename T>
void PassHead<T>::logits(const T* hidden, std::int64_t rows, std::int64_t vocabulary,
                         float* output) {
    const std::int64_t local = vocabulary_.size();
    const auto counts = context_.group.all_gather_values(local);
    const std::int64_t widest = *std::max_element(counts.begin(), counts.end());
    std::vector<float> mine(static_cast<std::size_t>(widest));
    std::vector<float> all(static_cast<std::size_t>(widest) * counts.size());
    for (std::int64_t row = 0; row < rows; ++row) {
        context_.linear(weights_, hidden + row * weights_.in, 1, logits_);
        context_.work.run(WidenLogits<T>{{1, local}, logits_, softcap_, wide_});
        context_.work.copy_out(wide_, static_cast<std::size_t>(local) * sizeof(float), mine.data());
        context_.group.all_gather(std::as_bytes(std::span(mine)),
                                  std::as_writable_bytes(std::span(all)));
        float* target = output + row * vocabulary;
        for (std::size_t rank = 0; rank < counts.size(); ++rank)
            target = std::copy_n(all.data() + static_cast<std::int64_t>(rank) * widest,
                                 counts[rank], target);
    }
}

template class PassHead<float>;
template class PassHead<Bf16>;

}  // namespace galapagos::cuda
