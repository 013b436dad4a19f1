// Which addresses of mapped sources stand for which addresses of the GPU.
#pragma once

#include <cstddef>
#include <map>

namespace galapagos::cuda {

/// Statistics and jobs name tensors by where they are mapped.
class ResidentTensors {
  public:
    /// The bytes from `mapped` on lie at `on_device`.
    void add(const std::byte* mapped, std::size_t bytes, const std::byte* on_device);

    /// Throws Error for what was not added.
    const std::byte* find(const std::byte* mapped) const;

  private:
    struct Place {
        std::size_t bytes;
        const std::byte* on_device;
    };
    std::map<const std::byte*, Place> places_;
};

}  // namespace galapagos::cuda
