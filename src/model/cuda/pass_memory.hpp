// Everything that a pass keeps on the device, collected first and then reserved in one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace galapagos::cuda {

class PassMemory {
  public:
    /// `pointer` will point to `count` elements; it must stay where it is until `place`.
    template <typename Element>
    void add(Element*& pointer, std::int64_t count) {
        const std::size_t at = bytes_;
        placements_.push_back([&pointer, at](std::byte* memory) {
            pointer = reinterpret_cast<Element*>(memory + at);
        });
        constexpr std::size_t line = 256;
        bytes_ += (static_cast<std::size_t>(count) * sizeof(Element) + line - 1) / line * line;
    }

    std::size_t bytes() const { return bytes_; }

    void place(std::byte* memory) {
        for (const auto& placement : placements_) placement(memory);
        placements_.clear();
    }

  private:
    std::vector<std::function<void(std::byte*)>> placements_;
    std::size_t bytes_ = 0;
};

}  // namespace galapagos::cuda
