// What a device pass will reserve, before there is a device.
#pragma once

#include <cstddef>

#include "model/cuda/device_pass.hpp"

namespace galapagos::cuda {

/// Bytes of a pass beside its weights: cache, activations and tables, which it reserves, and what
/// else it takes (beside_pass.hpp). Parameters as make_device_pass'; the arena may be a layout, and
/// no other rank need be there.
template <typename T>
std::size_t device_pass_bytes(const Architecture& architecture, const Sharding& sharding,
                              const Arena& weights, const DecoderOptions& options,
                              const LayerRoute& route);

}  // namespace galapagos::cuda
