#include <algorithm>
#include <cstdint>
#include <set>
#include <tuple>

#include "merge/cuda/device_job.hpp"
#include "merge/cuda/merge_memory.hpp"
#include "merge/cuda/statistic_sizes.hpp"
#include "merge/delta_ladder.hpp"
#include "merge/gram.hpp"
#include "merge/sce.hpp"

namespace galapagos::cuda {

namespace {

using Size = std::size_t;

Size parts(std::int64_t count, std::int64_t length) {
    return length == 0 ? 0 : static_cast<Size>((count + length - 1) / length);
}

/// A tensor of a plan, in the numbers that sizes are made of.
struct Sizes {
    explicit Sizes(const TensorMerge& tensor)
        : count(element_count(tensor.shape)),
          rows(parts(count, tensor.shape.empty() ? 1 : tensor.shape.back())),
          columns(parts(count, tensor.shape.empty() ? 1 : tensor.shape.front())),
          inputs(tensor.inputs.size()),
          row_length(tensor.shape.empty() ? 1 : tensor.shape.back()) {}

    std::int64_t count;
    Size rows, columns, inputs;
    std::int64_t row_length;
};

/// Rows or columns that have a factor for each input.
Size lines_of(const TensorMerge& tensor, const Sizes& size) {
    if (tensor.method == Method::model_stock && tensor.numbers.filter_wise) return size.rows;
    if (tensor.method == Method::nuslerp && !tensor.numbers.flatten)
        return tensor.numbers.row_wise ? size.columns : size.rows;
    return 0;
}

Size factors_of(const TensorMerge& tensor) {
    const Sizes size(tensor);
    if (tensor.method == Method::arcee_fusion) return size.rows * sizeof(float);
    return size.inputs * lines_of(tensor, size) * sizeof(float);
}

/// Results of a launch over a task vector that is thinned.
Size thinning_results(Thinning thinning, const Sizes& size) {
    switch (thinning) {
        case Thinning::none:
            return 0;
        case Thinning::largest:
        case Thinning::middle:
            return key_count_bytes;
        case Thinning::random:
            return probability_levels * sizeof(std::int64_t);
        case Thinning::by_rank:
            return row_sort_bytes(static_cast<std::int64_t>(size.rows), size.row_length);
    }
    return 0;
}

/// The most that a launch over one whole tensor gives.
Size results_of(const TensorMerge& tensor) {
    const Sizes size(tensor);
    const Size lines = lines_of(tensor, size);
    const auto products = [&](Size inputs) {
        const Size sums = lines > 0 ? lines : parts(size.count, products_chunk);
        return sums * Gram::pairs(inputs) * sizeof(double);
    };
    switch (tensor.method) {
        case Method::slerp:
            return products(2);
        case Method::model_stock:
        case Method::nuslerp:
        case Method::multislerp:
        case Method::karcher:
            return products(size.inputs);
        case Method::sce:
            return std::max({key_count_bytes,
                             parts(size.count, delta_chunk) * sizeof(std::uint32_t),
                             parts(size.count, squares_chunk) * size.inputs * sizeof(double)});
        case Method::ramplus_tl:
            return 2 * size.inputs * sizeof(std::int64_t);
        case Method::arcee_fusion:
            return std::max(key_count_bytes, size.rows * sizeof(float));
        default:
            return thinning_results(traits_of(tensor.method).thinning, size);
    }
}

/// The same of a launch over the parts of one: what is counted.
Size counts_of(const TensorMerge& tensor) {
    switch (tensor.method) {
        case Method::sce:
            return std::max(key_count_bytes,
                            tie_bytes(parts(element_count(tensor.shape), delta_chunk)));
        case Method::ramplus_tl:
            return results_of(tensor);
        default:
            break;
    }
    const Thinning thinning = traits_of(tensor.method).thinning;
    if (thinning == Thinning::by_rank) return sizeof(std::uint32_t);
    return thinning_results(thinning, Sizes(tensor));
}

/// Entries of a launch over a rank's part of a tensor.
Size entries_of(const TensorMerge& tensor, const Sharding& sharding) {
    const TensorSlice slice = sharding.slice(tensor.output_name, tensor.shape);
    return slice.whole() ? 1 : slice.ranges.size();
}

/// What a candidate asks for of all thinned task vectors together.
class Together {
  public:
    explicit Together(bool whole) : whole_(whole) {}

    void add(const TensorMerge& tensor, Size entries) {
        const Thinning thinning = traits_of(tensor.method).thinning;
        const Sizes size(tensor);
        if (thinning == Thinning::by_rank) {
            thinned_ += size.inputs;
            thinned_entries_ += size.inputs * entries;
        }
        if (thinning != Thinning::largest && thinning != Thinning::middle) return;
        const Size cuts = (thinning == Thinning::middle ? 2 : 1) * size.inputs;
        cuts_ += cuts;
        entries_ += cuts * entries;
        ties_ += cuts * tie_bytes(static_cast<Size>(delta_chunks(size.count)));
        std::int64_t most = DeltaLadder::crowd(size.count);
        // Of parts, those that are equal in a chunk are collected too.
        if (!whole_) most = std::max(most, std::min(size.count, delta_chunk));
        collected_ += static_cast<std::int64_t>(cuts) * most;
        most_at_once_ = std::max(most_at_once_, most);
    }
    Size scratch() const {
        const std::int64_t collected =
            std::min(collected_, std::max(most_collected, most_at_once_));
        const Size found = whole_ ? select_bytes(cuts_, collected) : search_bytes(cuts_, collected);
        return std::max({launch_bytes(entries_, ties_),
                         launch_bytes(std::max(entries_, cuts_), found),
                         launch_bytes(thinned_entries_, thinned_ * thinned_sum_bytes)});
    }

  private:
    bool whole_;
    Size cuts_ = 0, thinned_ = 0, ties_ = 0;
    Size entries_ = 0, thinned_entries_ = 0;  ///< of cuts, and of thinned ones
    std::int64_t collected_ = 0, most_at_once_ = 0;
};

Size scratch_of(const MergePlan& plan, const Sharding& sharding) {
    const bool whole = sharding.size() == 1;
    Together together(whole);
    Size most = 0;
    for (const TensorMerge& tensor : plan.tensors) {
        if (tensor.copied) continue;
        const Size entries = entries_of(tensor, sharding);
        together.add(tensor, entries);
        if (const Size results = whole ? results_of(tensor) : counts_of(tensor); results > 0)
            most = std::max(most, launch_bytes(entries, results));
    }
    return std::max(most, together.scratch());
}

/// Ranks of all forms, each task vector's once.
class RankBytes {
  public:
    explicit RankBytes(const Sharding& sharding) : sharding_(sharding) {}

    void add(const TensorMerge& tensor) {
        if (traits_of(tensor.method).thinning != Thinning::by_rank) return;
        const Shape part =
            sliced_shape(sharding_.slice(tensor.output_name, tensor.shape), tensor.shape);
        for (const MergeInput& input : tensor.inputs)
            if (known_
                    .insert({tensor.base->source, tensor.base->tensor, input.source, input.tensor})
                    .second)
                bytes_ += aligned(static_cast<Size>(element_count(part)) * sizeof(std::uint16_t));
    }
    Size bytes() const { return bytes_; }

  private:
    const Sharding& sharding_;
    std::set<std::tuple<int, std::string, int, std::string>> known_;
    Size bytes_ = 0;
};

}  // namespace

MergeBytes merge_bytes(std::span<const MergePlan> forms, const Sharding& sharding,
                       Residency sources) {
    MergeBytes bytes;
    RankBytes ranks(sharding);
    for (const MergePlan& form : forms) {
        Size entries = 0, factors = 0;
        for (const TensorMerge& tensor : form.tensors) {
            if (tensor.copied) continue;
            check_inputs(tensor.inputs.size());
            entries += entries_of(tensor, sharding);
            factors += factors_of(tensor);
            ranks.add(tensor);
        }
        bytes.tables = std::max(bytes.tables, aligned(entries * sizeof(DeviceJob)));
        bytes.factors = std::max(bytes.factors, aligned(factors));
        if (sources != Residency::mapped_files)  // of these the CPU takes the statistics
            bytes.scratch = std::max(bytes.scratch, aligned(scratch_of(form, sharding)));
    }
    bytes.ranks = ranks.bytes();
    return bytes;
}

}  // namespace galapagos::cuda
