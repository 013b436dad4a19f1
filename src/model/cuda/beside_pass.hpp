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
/// MiB (NCCL 2.28: 4 and 4.7 and 0.5, by protocol) for each of 32 channels of its rings, and for
/// each of 16 to each other GPU.
inline constexpr std::size_t nccl_bytes(int ranks) {
    constexpr std::size_t channel = std::size_t{10} << 20;
    return ranks == 1 ? 0 : channel * (32 + 16 * static_cast<std::size_t>(ranks - 1));
}

/// What ranks exchange is reserved in multiples of this.
inline constexpr std::size_t exchanged_unit = std::size_t{2} << 20;

inline constexpr std::size_t beside_pass_bytes(int ranks) {
    return product_bytes + most_graphs * graph_bytes + nccl_bytes(ranks);
}

}  // namespace galapagos::cuda
