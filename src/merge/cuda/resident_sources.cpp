#include "merge/cuda/resident_sources.hpp"

#include <string>

#include "merge/source_layout.hpp"

namespace galapagos::cuda {

namespace {

/// Where each part begins.
constexpr std::size_t alignment = 256;

/// Calls visit(whole tensor, slice, offset, bytes) for every part that holds something; returns how
/// much room they take.
template <typename Visit>
std::size_t for_each_part(const std::vector<std::shared_ptr<const Source>>& sources,
                          const Sharding& sharding, const Visit& visit) {
    std::size_t end = 0;
    const auto visit_tensor = [&](const Source& source, const std::string& name) {
        const TensorView whole = source.tensor(name);
        if (!is_mergeable(whole.dtype)) return;
        const TensorSlice slice = sharding.slice(name, whole.shape);
        const auto elements =
            static_cast<std::size_t>(element_count(sliced_shape(slice, whole.shape)));
        const std::size_t bytes = elements * size_of(whole.dtype);
        if (bytes == 0) return;
        visit(whole, slice, end, bytes);
        end += (bytes + alignment - 1) / alignment * alignment;
    };
    for (const auto& source : sources) {
        const SourceLayout layout = lay_out(*source);
        for (const std::string& name : layout.before) visit_tensor(*source, name);
        for (std::int64_t layer = 0; layer < layout.layer_count(); ++layer)
            for (const std::string& suffix : layout.layers[static_cast<std::size_t>(layer)])
                visit_tensor(*source, layout.tensor_name(layer, suffix));
        for (const std::string& name : layout.after) visit_tensor(*source, name);
    }
    return end;
}

}  // namespace

std::size_t resident_bytes(const std::vector<std::shared_ptr<const Source>>& sources,
                           const Sharding& sharding) {
    return for_each_part(sources, sharding, [](const auto&...) {});
}

void make_resident(const std::vector<std::shared_ptr<const Source>>& sources,
                   const Sharding& sharding, const CopyIn& copy_in, std::byte* memory,
                   ResidentTensors& table) {
    std::vector<std::byte> part;
    for_each_part(sources, sharding,
                  [&](const TensorView& whole, const TensorSlice& slice, std::size_t offset,
                      std::size_t bytes) {
                      const std::byte* from = whole.data;
                      if (!slice.whole()) {
                          part.resize(bytes);
                          copy_slice(whole, slice,
                                     {part.data(), whole.dtype, sliced_shape(slice, whole.shape)});
                          from = part.data();
                      }
                      copy_in(from, bytes, memory + offset);
                      table.add(whole.data, bytes, memory + offset);
                  });
}

}  // namespace galapagos::cuda
