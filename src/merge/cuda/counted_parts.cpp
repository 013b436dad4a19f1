#include "merge/cuda/counted_parts.hpp"

#include <utility>

#include "base/error.hpp"
#include "merge/source_layout.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos::cuda {

namespace {

/// Whether no rank of lower number holds a range of a slice: key-value heads may be on several, and
/// what is not cut is on all.
bool is_counted(const TensorSlice& slice, std::size_t range, const TensorRule* rule,
                const Sharding& sharding) {
    if (slice.whole()) return sharding.rank() == 0;
    return rule->blocks.at(range) != Axis::kv || sharding.owns_kv_heads();
}

}  // namespace

CountedParts::CountedParts(const std::vector<std::shared_ptr<const Source>>& sources,
                           const Sharding& sharding) {
    for (const std::shared_ptr<const Source>& source : sources) {
        const ArchitectureLayout* const layout = find_layout(source->config());
        for (const std::string& name : lay_out(*source).tensor_names()) {
            const TensorView whole = source->tensor(name);
            if (!is_mergeable(whole.dtype) || element_count(whole.shape) == 0) continue;
            const TensorRule* const rule = layout == nullptr ? nullptr : find_rule(*layout, name);
            const TensorSlice slice = sharding.slice(name, whole.shape);
            add(whole.data, slice, whole.shape,
                [&](std::size_t range) { return is_counted(slice, range, rule, sharding); });
        }
    }
}

void CountedParts::add(const std::byte* mapped, TensorSlice slice, Shape shape,
                       const std::function<bool(std::size_t)>& counts) {
    Entry entry;
    for (const PartRuns& part : runs_of(slice, shape))
        if (counts(part.range)) entry.counted.push_back(part);
    entry.held = {std::move(slice), std::move(shape)};
    entries_.insert_or_assign(mapped, std::move(entry));
}

std::span<const PartRuns> CountedParts::of(const std::byte* mapped) const {
    return entry(mapped).counted;
}

const CountedParts::Entry& CountedParts::entry(const std::byte* mapped) const {
    const auto found = entries_.find(mapped);
    if (found == entries_.end())
        throw Error("a tensor can't be counted on the GPU", "it is none of a source's",
                    "this is a mistake in galapagos: please report it");
    return found->second;
}

}  // namespace galapagos::cuda
