#include "merge/cuda/merge_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace galapagos::cuda {

void ReservedMemory::use(std::size_t bytes) {
    used_ = std::max(used_, bytes);
    if (bytes > bytes_)
        throw Error("a candidate can't be merged on the GPU",
                    fmt::format("its {} take {} bytes, and {} are set aside for them", purpose_,
                                bytes, bytes_),
                    "this is a mistake in galapagos: please report it");
}

std::byte* ReservedMemory::begin(std::size_t bytes) {
    use(bytes);
    return at_;
}

std::byte* ReservedMemory::take(std::size_t bytes) {
    use(taken_ + aligned(bytes));
    std::byte* const taken = at_ + taken_;
    taken_ += aligned(bytes);
    return taken;
}

MergeMemory::MergeMemory(const MergeBytes& bytes, std::byte* at)
    : tables("tables of launches", at, bytes.tables),
      factors("factors of rows and columns", at + bytes.tables, bytes.factors),
      scratch("statistics", at + bytes.tables + bytes.factors, bytes.scratch),
      ranks("ranks of magnitudes", at + bytes.tables + bytes.factors + bytes.scratch, bytes.ranks) {
}

}  // namespace galapagos::cuda
