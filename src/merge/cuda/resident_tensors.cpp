#include "merge/cuda/resident_tensors.hpp"

#include <iterator>

#include "base/error.hpp"

namespace galapagos::cuda {

void ResidentTensors::add(const std::byte* mapped, std::size_t bytes, const std::byte* on_device) {
    places_[mapped] = {bytes, on_device};
}

const std::byte* ResidentTensors::find(const std::byte* mapped) const {
    const auto after = places_.upper_bound(mapped);
    if (after != places_.begin()) {
        const auto& [begin, place] = *std::prev(after);
        const auto offset = static_cast<std::size_t>(mapped - begin);
        if (offset < place.bytes) return place.on_device + offset;
    }
    throw Error("a source can't be read on the GPU", "a source's tensor is not in its memory",
                "this is a mistake in galapagos: please report it");
}

}  // namespace galapagos::cuda
