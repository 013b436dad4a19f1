#include "merge/gram.hpp"

#include <algorithm>
#include <cmath>

#include "base/parallel.hpp"
#include "merge/loops.hpp"

namespace galapagos {

namespace {

constexpr std::size_t lanes = 8;

/// Scratch: one block of every vector.
class Blocks {
  public:
    explicit Blocks(const GramVectors& vectors)
        : job_(*vectors.job),
          deltas_(vectors.deltas),
          values_((job_.inputs.size() + 1) * static_cast<std::size_t>(block_elements)) {}

    void load(std::int64_t at, std::int64_t count) {
        if (deltas_) load_block(job_.base, at, count, place(job_.inputs.size()));
        for (std::size_t i = 0; i < job_.inputs.size(); ++i) {
            load_block(job_.inputs[i].tensor, at, count, place(i));
            if (deltas_) loops::subtract(place(job_.inputs.size()), place(i), count);
        }
    }
    float* place(std::size_t i) {
        return values_.data() + i * static_cast<std::size_t>(block_elements);
    }

  private:
    const TensorJob& job_;
    bool deltas_;
    std::vector<float> values_;
};

double total(const double* sums) {
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
           ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Adds the products over [begin, end) to `sums`, one set of lanes a pair.
void add_range(Blocks& blocks, std::size_t vectors, std::int64_t begin, std::int64_t end,
               double* sums) {
    for (std::int64_t at = begin; at < end; at += block_elements) {
        const std::int64_t count = std::min(block_elements, end - at);
        blocks.load(at, count);
        double* pair = sums;
        for (std::size_t j = 0; j < vectors; ++j)
            for (std::size_t i = 0; i <= j; ++i, pair += lanes)
                loops::add_dot(blocks.place(i), blocks.place(j), pair, count);
    }
}

std::vector<double> row_products(const GramVectors& vectors) {
    const std::size_t n = vectors.job->inputs.size();
    const std::size_t pairs = Gram::pairs(n);
    const std::int64_t length = vectors.job->row_length;
    const std::int64_t rows = vectors.job->count / std::max<std::int64_t>(1, length);
    std::vector<double> result(static_cast<std::size_t>(rows) * pairs);
    const std::int64_t grain =
        std::max<std::int64_t>(1, products_chunk / std::max<std::int64_t>(1, length));
    parallel_for(0, rows, grain, [&](std::int64_t first, std::int64_t last) {
        Blocks blocks(vectors);
        std::vector<double> sums(pairs * lanes);
        for (std::int64_t row = first; row < last; ++row) {
            std::fill(sums.begin(), sums.end(), 0.0);
            add_range(blocks, n, row * length, (row + 1) * length, sums.data());
            for (std::size_t p = 0; p < pairs; ++p)
                result[static_cast<std::size_t>(row) * pairs + p] = total(&sums[p * lanes]);
        }
    });
    return result;
}

std::vector<double> column_products(const GramVectors& vectors) {
    const std::size_t n = vectors.job->inputs.size();
    const std::size_t pairs = Gram::pairs(n);
    const std::int64_t rows = vectors.job->rows;
    const std::int64_t columns = vectors.job->count / std::max<std::int64_t>(1, rows);
    std::vector<double> result(static_cast<std::size_t>(columns) * pairs);
    constexpr std::int64_t stripe = 256;
    parallel_for(0, (columns + stripe - 1) / stripe, 1, [&](std::int64_t first, std::int64_t last) {
        Blocks blocks(vectors);
        for (std::int64_t s = first; s < last; ++s) {
            const std::int64_t begin = s * stripe;
            const std::int64_t count = std::min(stripe, columns - begin);
            for (std::int64_t row = 0; row < rows; ++row) {
                blocks.load(row * columns + begin, count);
                std::size_t pair = 0;
                for (std::size_t j = 0; j < n; ++j)
                    for (std::size_t i = 0; i <= j; ++i, ++pair)
                        for (std::int64_t c = 0; c < count; ++c)
                            result[static_cast<std::size_t>(begin + c) * pairs + pair] +=
                                static_cast<double>(blocks.place(i)[c]) * blocks.place(j)[c];
            }
        }
    });
    return result;
}

}  // namespace

double Gram::norm(std::size_t i) const { return std::sqrt((*this)(i, i)); }

std::vector<double> gram_products(const GramVectors& vectors) {
    const std::size_t n = vectors.job->inputs.size();
    const std::size_t pairs = Gram::pairs(n);
    const std::int64_t count = vectors.job->count;
    const std::int64_t chunks = (count + products_chunk - 1) / products_chunk;
    std::vector<double> parts(static_cast<std::size_t>(chunks) * pairs * lanes);
    parallel_for(0, chunks, 1, [&](std::int64_t first, std::int64_t last) {
        Blocks blocks(vectors);
        for (std::int64_t chunk = first; chunk < last; ++chunk)
            add_range(blocks, n, chunk * products_chunk,
                      std::min(count, (chunk + 1) * products_chunk),
                      &parts[static_cast<std::size_t>(chunk) * pairs * lanes]);
    });
    std::vector<double> result(pairs);
    for (std::size_t at = 0; at < parts.size(); at += lanes)
        result[at / lanes % pairs] += total(&parts[at]);
    return result;
}

std::vector<double> line_products(const GramVectors& vectors, bool columns) {
    return columns ? column_products(vectors) : row_products(vectors);
}

}  // namespace galapagos
