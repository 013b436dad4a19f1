// Sums over the ranks of a group: products whose summed dimension lies on several ranks, and
// embeddings of several slices of the vocabulary.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"
#include "model/cuda/pass_part.hpp"
#include "model/cuda/sum_traffic.hpp"
#include "model/decoder.hpp"

namespace galapagos::cuda {

/// Sums of [rows, width] in rank order, the bits that TensorGroup gives them (with `fast`
/// reductions in the device's order). While they are `beside`, sums of a part are made while the
/// other part is at work.
template <typename T>
class RankSums {
  public:
    RankSums(DeviceWork<T>& work, int rank, int ranks, Reductions reductions)
        : work_(work), rank_(rank), ranks_(ranks), reductions_(reductions) {}

    /// Adds the memory of sums of at most so many rows of a width.
    void add_to(PassMemory& exchanged, std::int64_t rows, std::int64_t width) {
        const std::int64_t most = rows_in_parts(rows) * width;
        std::int64_t elements = most;
        if (ranks_ > 1 && reductions_ == Reductions::exact)
            elements = std::max(2 * most, ranks_ * most_gathered(rows * width));
        received_at_ = most;
        exchanged.add(shares_, elements);
    }
    /// Room for so many rows in two parts, each of which takes a multiple of the ranks.
    std::int64_t rows_in_parts(std::int64_t rows) const { return rows + 2 * (ranks_ - 1); }
    /// Where what follows so many rows lies.
    std::int64_t place_after(std::int64_t rows) const {
        return (rows + ranks_ - 1) / ranks_ * ranks_;
    }

    /// From now on sums are made beside what is asked for after them, until they are awaited; or no
    /// longer, and those under way are awaited.
    void make_beside(bool beside) {
        if (beside_ && !beside)
            for (const int part : {0, 1}) work_.await(part);
        beside_ = beside;
    }

    /// Where this rank's share of the sum of a part goes.
    float* own_share(const PassPart& part, std::int64_t width) {
        const std::int64_t elements = part.rows * width;
        if (way(elements) == SumWay::gathered) return shares_ + rank_ * elements;
        return shares_ + part.place * width;
    }

    /// Once this rank's share is in its place: has `job_of(shares, first row, rows)` make rows of
    /// the sum, so that all of them are in `output` on every rank. Other rows of it, up to a
    /// multiple of the ranks, are overwritten.
    template <typename JobOf>
    void finish(const PassPart& part, std::int64_t width, T* output, JobOf job_of) {
        const auto sum = [this, part, width, output, job_of, way = way(part.rows * width)] {
            add_up(part, width, output, job_of, way);
        };
        if (beside_)
            work_.beside(part.number, sum);
        else
            sum();
    }
    /// What comes next needs the part's last sum.
    void await(const PassPart& part) {
        if (beside_) work_.await(part.number);
    }

    SumWay way(std::int64_t elements) const { return sum_of(elements).way(reductions_, beside_); }

  private:
    RankSum sum_of(std::int64_t elements) const { return {ranks_, elements, sizeof(T)}; }

    /// Elements of the largest sum that is gathered, of sums of at most so many.
    std::int64_t most_gathered(std::int64_t most) const {
        const std::int64_t spared = sum_of(1).spared();
        return spared > 0 ? std::min(most, worth_exchanging * ranks_ / spared) : most;
    }

    template <typename JobOf>
    void add_up(const PassPart& part, std::int64_t width, T* output, const JobOf& job_of,
                SumWay way) {
        const std::int64_t elements = part.rows * width;
        if (way == SumWay::exchanged) return exchange(part, width, output, job_of);
        float* shares = shares_;
        int count = ranks_;
        if (way == SumWay::in_place) {
            shares += part.place * width;
            count = 1;
            if (ranks_ > 1) work_.sum_shares(shares, elements);
        } else if (ranks_ > 1) {
            work_.gather_shares(shares, elements);
        }
        work_.run(job_of(RankShares{shares, count, elements}, 0, part.rows));
    }

    template <typename JobOf>
    void exchange(const PassPart& part, std::int64_t width, T* output, const JobOf& job_of) {
        const std::int64_t slice = place_after(part.rows) / ranks_;
        float* const received = shares_ + received_at_;
        work_.exchange_shares(shares_ + part.place * width, received, slice * width);
        const std::int64_t first = std::min(rank_ * slice, part.rows);
        const std::int64_t last = std::min(first + slice, part.rows);
        if (first < last)
            work_.run(job_of(RankShares{received, ranks_, slice * width}, first, last - first));
        work_.gather_rows(output, slice * width);
    }

    DeviceWork<T>& work_;
    int rank_, ranks_;
    Reductions reductions_;
    bool beside_ = false;
    /// Shares of all ranks, [ranks][elements]; or this rank's, [rows in parts][width], and then
    /// others' of the rows that it adds up, [ranks][rows / ranks][width].
    float* shares_ = nullptr;
    std::int64_t received_at_ = 0;
};

}  // namespace galapagos::cuda
