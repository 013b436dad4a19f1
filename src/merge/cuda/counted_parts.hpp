// Which elements of a tensor a rank counts, of those that it holds.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "merge/cuda/device_job.hpp"
#include "weights/sharding.hpp"
#include "weights/source.hpp"

namespace galapagos::cuda {

/// Each element of a tensor is counted by one rank: of several that hold it, by the lowest. Tensors
/// are named by where they are mapped.
class CountedParts {
  public:
    CountedParts() = default;
    /// Those of all tensors of sources that can be merged.
    CountedParts(const std::vector<std::shared_ptr<const Source>>& sources,
                 const Sharding& sharding);

    /// A tensor of shape `shape`, of which a rank holds a slice. `counts(i)` says whether it counts
    /// the slice's range i; of a whole tensor, 0.
    void add(const std::byte* mapped, TensorSlice slice, Shape shape,
             const std::function<bool(std::size_t)>& counts);

    /// Range by range; none where the rank counts nothing. Throws Error for what was not added.
    std::span<const PartRuns> of(const std::byte* mapped) const;
    /// What the rank holds.
    struct Held {
        TensorSlice slice;
        Shape shape;  ///< of the whole tensor
    };
    const Held& held(const std::byte* mapped) const { return entry(mapped).held; }

  private:
    struct Entry {
        Held held;
        std::vector<PartRuns> counted;
    };
    const Entry& entry(const std::byte* mapped) const;

    std::map<const std::byte*, Entry> entries_;
};

}  // namespace galapagos::cuda
