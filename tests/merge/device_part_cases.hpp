// Statistics of random tensors that are cut over the ranks of a group, in every way, against those
// of the CPU's passes over the whole ones.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "comm/tensor_group.hpp"
#include "merge/cuda/part_passes.hpp"
#include "merge/device_statistic_cases.hpp"

namespace galapagos::test {

/// What one rank of several holds of a tensor, and what of it no lower one does.
struct DrawnCut {
    TensorSlice slice;
    std::vector<bool> counts;  ///< of each range; of a whole tensor the first
};

/// All ranks hold all of it, or near-even parts along a dimension, of each block of a fused matrix
/// by itself; some blocks' parts are on two ranks each. Parts may be empty.
inline DrawnCut drawn_cut(Draw& draw, const Shape& shape, int ranks, int rank) {
    DrawnCut cut;
    cut.slice.dim = static_cast<int>(draw.below(static_cast<std::int64_t>(shape.size()) + 1)) - 1;
    if (cut.slice.dim < 0) {
        cut.counts.push_back(rank == 0);
        return cut;
    }
    const std::int64_t extent = shape[static_cast<std::size_t>(cut.slice.dim)];
    const std::int64_t blocks = 1 + draw.below(3);
    for (std::int64_t i = 0; i < blocks; ++i) {
        const Range block = near_even_part(extent, blocks, i);
        const std::int64_t holders = 1 + draw.below(2);
        const Range part =
            near_even_part(block.size(), (ranks + holders - 1) / holders, rank / holders);
        cut.slice.ranges.push_back({block.begin + part.begin, block.begin + part.end});
        cut.counts.push_back(rank % holders == 0);
    }
    return cut;
}

/// A base and some models of a shape, and the passes over this rank's parts of them in a device's
/// memory.
class CutModels {
  public:
    /// `tensors` are those that the device looks its tensors up in.
    CutModels(std::uint64_t index, const Shape& shape, int models, TensorGroup& group,
              cuda::StatisticDevice& device, cuda::ResidentTensors& tensors,
              const TestedPasses::Allocate& allocate)
        : device_(&device), reserved_(allocate(enough.total())), memory_(enough, reserved_.get()) {
        Draw draw(index);
        case_.shape = shape;
        const DrawnCut cut = drawn_cut(draw, shape, group.size(), group.rank());
        case_.slice = cut.slice;
        TensorJob& job = case_.job;
        job.count = element_count(shape);
        job.row_length = shape.back();
        job.rows = shape.front();
        job.epsilon = draw.one_of({0.0f, 1e-5f, 0.25f});
        const bool coarse = draw.below(3) == 0;
        const auto hold = [&](const StoredTensor& tensor, bool late) {
            const std::vector<std::byte> part = case_.part_of(tensor);
            if (part.empty()) return;  // it is nowhere
            const std::size_t shift = late ? size_of(tensor.dtype) : 0;
            std::byte* const place =
                copies_.emplace_back(allocate(part.size() + shift)).get() + shift;
            device.copy_in(part.data(), part.size(), place);
            tensors.add(tensor.data, part.size(), place);
        };
        job.base = drawn_tensor(draw, coarse, case_);
        hold(job.base, false);
        for (int i = 0; i < models; ++i) {
            job.inputs.emplace_back().tensor = drawn_tensor(draw, coarse, case_);
            hold(job.inputs.back().tensor, index % 4 == 3);  // where there are no wide loads
        }
        cuda::CountedParts parts;
        parts.add(job.base.data, cut.slice, shape, [&](std::size_t i) { return cut.counts[i]; });
        passes_.emplace(std::move(parts), group, device, memory_);
    }

    const TensorJob& job() const { return case_.job; }
    DeltaPair pair() const { return {job().base, job().inputs.front().tensor, job().count}; }
    cuda::PartPasses& passes() { return *passes_; }

    /// All that is counted of the first model's task vector.
    void compare_pair() {
        passes().lockstep()->run([&] {
            const std::uint32_t largest = passes().largest_magnitude(pair());
            EXPECT_EQ(largest, cpu_passes().largest_magnitude(pair()));
            const FixedPoint fixed = fixed_point_of(largest);
            compare_counts(pair(), fixed, largest, passes());
            compare_thinning(fixed);
        });
    }
    /// All that is counted of all models.
    void compare_models() {
        passes().lockstep()->run([&] {
            compare_selections(job(), passes());
            EXPECT_EQ(passes().count_changes(job()), cpu_passes().count_changes(job()));
        });
    }

  private:
    void compare_thinning(const FixedPoint& fixed) {
        const std::vector<std::uint16_t> whole = magnitude_ranks(pair(), job().row_length);
        const Ranks ranks = passes().magnitude_ranks(pair(), job().row_length);
        const std::vector<std::byte> expected =
            case_.part_of({reinterpret_cast<const std::byte*>(whole.data()), DType::f16});
        std::vector<std::byte> found(expected.size());
        device_->copy_out(reinterpret_cast<const std::byte*>(ranks.get()), found.size(),
                          found.data());
        EXPECT_EQ(found, expected);
        JobInput by_cpu, by_device;
        by_cpu.ranks = whole.data();
        by_device.ranks = ranks.get();
        for (JobInput* input : {&by_cpu, &by_device}) set_rank_probabilities(0.6, 0.2, *input);
        std::vector<RankThinning> thinnings;
        for (const MaskStream& stream : {MaskStream{11, 12, 13}, MaskStream{21, 12, 13}})
            thinnings.push_back({pair(), fixed, &by_device, stream, {}});
        passes().thin(thinnings);
        for (const RankThinning& one : thinnings)
            EXPECT_EQ(one.norms, thinned_norms(pair(), fixed, by_cpu, one.stream));
    }

    static constexpr cuda::MergeBytes enough{0, 0, 8 << 20, 1 << 20};

    cuda::StatisticDevice* device_;
    DeviceJobCase case_;
    std::vector<std::shared_ptr<std::byte[]>> copies_;
    std::shared_ptr<std::byte[]> reserved_;
    cuda::MergeMemory memory_;
    std::optional<cuda::PartPasses> passes_;
};

}  // namespace galapagos::test
