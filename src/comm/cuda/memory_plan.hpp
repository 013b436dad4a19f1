// What a rank will keep in device memory, before any of it is allocated.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace galapagos::cuda {

/// Collects everything that a rank will ever hold, so that all of it is allocated in one piece at
/// the start: a run that doesn't fit ends in its first second, not at hour three.
class MemoryPlan {
  public:
    /// Room for `bytes`, beginning at a multiple of 256 bytes; returns where. `name` tells the user
    /// what it is for: parts of one name are listed as one.
    std::size_t add(const std::string& name, std::size_t bytes);

    std::size_t bytes() const noexcept { return bytes_; }
    /// "sources 43.5 GiB, candidate 14.5 GiB", in the order of addition.
    std::string text() const;

  private:
    struct Part {
        std::string name;
        std::size_t bytes = 0;
    };
    std::vector<Part> parts_;
    std::size_t bytes_ = 0;
};

}  // namespace galapagos::cuda
