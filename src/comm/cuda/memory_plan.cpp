#include "comm/cuda/memory_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace galapagos::cuda {

std::size_t MemoryPlan::add(const std::string& name, std::size_t bytes) {
    constexpr std::size_t alignment = 256;
    const std::size_t at = bytes_;
    bytes_ += (bytes + alignment - 1) / alignment * alignment;
    const auto same = std::find_if(parts_.begin(), parts_.end(),
                                   [&](const Part& part) { return part.name == name; });
    if (same == parts_.end())
        parts_.push_back({name, bytes});
    else
        same->bytes += bytes;
    return at;
}

std::string MemoryPlan::text() const {
    std::string text;
    for (const Part& part : parts_)
        text += fmt::format("{}{} {:.2f} GiB", text.empty() ? "" : ", ", part.name,
                            static_cast<double>(part.bytes) / 0x1p30);
    return text;
}

}  // namespace galapagos::cuda
