#pragma once

#include <cstdint>
#include <functional>

namespace galapagos {

/// Threads that parallel_for uses, the caller included. Starts as the OMP_NUM_THREADS of the
/// environment, else the cores this process may run on.
int thread_count();
void set_thread_count(int count);

/// Calls body(first, last) on disjoint ranges that cover [begin, end), each of at least `grain`
/// elements, from several threads; returns when all are done. The ranges depend on begin, end and
/// grain alone, not on the number of threads. The first exception of a body is rethrown here. Not
/// reentrant: a body runs its own loops serially.
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace galapagos
