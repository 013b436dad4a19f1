#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

#include "base/parallel.hpp"

namespace galapagos {

/// Cuts [begin, end) into at most one range for each thread of libtorch's pool, each of at least
/// `grain`, and calls body(first, last, number of the range).
template <typename Body>
void for_each_range(int64_t begin, int64_t end, int64_t grain, const Body& body) {
#ifdef __SANITIZE_THREAD__
    // The sanitizer can't see how the threads of the OpenMP runtime wait for each other. It sees it
    // in our own pool.
    const int64_t threads = at::get_num_threads();
    const int64_t length = std::max({int64_t{1}, grain, (end - begin + threads - 1) / threads});
    parallel_for(begin, end, length, [&](int64_t first, int64_t last) {
        body(first, last, static_cast<int>((first - begin) / length));
    });
#else
    at::parallel_for(begin, end, grain,
                     [&](int64_t first, int64_t last) { body(first, last, at::get_thread_num()); });
#endif
}

}  // namespace galapagos
