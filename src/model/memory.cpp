#include "model/memory.hpp"

#include <malloc.h>

namespace galapagos {

void keep_freed_memory() {
    constexpr int largest_temporary = 1 << 30;
    mallopt(M_MMAP_THRESHOLD, largest_temporary);
    mallopt(M_TRIM_THRESHOLD, largest_temporary);
    mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace galapagos
