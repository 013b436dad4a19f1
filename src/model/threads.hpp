#pragma once

namespace galapagos {

/// Threads that the forward pass uses on this rank (libtorch's OpenMP pool).
void set_model_threads(int count);

}  // namespace galapagos
