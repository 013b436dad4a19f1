// Merging candidates, one after the other, into the same memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "merge/plan.hpp"
#include "weights/arena.hpp"
#include "weights/sharding.hpp"
#include "weights/source.hpp"

namespace galapagos {

class TensorGroup;

/// Merges plans over a fixed set of sources. One fused pass a tensor reads every source once,
/// accumulates in fp32 and rounds once; what depends on the sources alone is computed at first use
/// and kept. The merged bits depend on the plan, the sources and the seed only: not on the
/// tensor-parallel width, the number of threads, the instruction set or what was merged before.
class Merger {
  public:
    /// `sharding` says which part of each tensor this rank holds. `seed` keys the random masks of
    /// recipes that set no `random_seed`. With a group (the ranks of one evaluator, of the same
    /// width as the sharding), its ranks share out the work on whole-tensor statistics; all of them
    /// must then call `merge` with the same plan. Without one, each rank does all of it.
    Merger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
           std::uint64_t seed, TensorGroup* group = nullptr);
    ~Merger();
    Merger(Merger&&) noexcept;
    Merger& operator=(Merger&&) noexcept;

    /// Writes this rank's part of every tensor of the arena, in the arena's element types. Tensors
    /// of the plan that the arena lacks are left out. Throws Error if the arena holds a tensor that
    /// the plan lacks, or of another shape.
    void merge(const MergePlan& plan, Arena& out);

    /// Merges one whole tensor into `out` (of the plan's shape and element type), and forgets its
    /// statistics: for streaming to files. `random_seed` as in the plan.
    void merge_tensor(const TensorMerge& tensor, std::optional<std::uint64_t> random_seed,
                      const MutableTensorView& out);

    /// Bytes held by the statistics of the sources.
    std::size_t statistics_bytes() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace galapagos
