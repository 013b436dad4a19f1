// What a pass takes of a GPU's memory beside its own: through the libraries that it uses.
#pragma once

#include <cstddef>

namespace galapagos::cuda {

/// Workspace of matrix products.
inline constexpr std::size_t product_bytes = std::size_t{32} << 20;

/// Shapes of decoding steps that are recorded. The ones that come most often are the first.
inline constexpr int most_graphs = 64;
/// What the driver keeps of a recorded step: an assumption, for about a thousand kernels.
inline constexpr std::size_t graph_bytes = std::size_t{2} << 20;

/// Buffers between the GPUs of a group, which NCCL makes when they first send: an assumption, ten
/// MiB for each of its channels.
inline constexpr std::size_t nccl_bytes = std::size_t{512} << 20;

/// What ranks exchange is reserved in multiples of this.
inline constexpr std::size_t exchanged_unit = std::size_t{2} << 20;

inline constexpr std::size_t beside_pass_bytes(int ranks) {
    return product_bytes + most_graphs * graph_bytes + (ranks > 1 ? nccl_bytes : 0);
}

}  // namespace galapagos::cuda
