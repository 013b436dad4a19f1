// The network of one tensor-parallel rank on a GPU: make_forward_pass's twin.
#pragma once

#include <memory>

#include "model/cuda/device_work.hpp"
#include "model/forward_pass.hpp"

namespace galapagos::cuda {

/// `device_weights`: the arena's copy on the device, which every candidate is put into; nothing is
/// derived from what lies there. All memory of the pass is reserved here. A run queues kernels and
/// products and waits for nothing; `answer` waits once, for 16 bytes a query. The tokens and their
/// places lie in device memory, and no launch depends on positions but for the number of blocks
/// that share out a long row: what is queued for a number of single tokens is the same at every
/// step, of every candidate, so that the device may replay it. Throws Error as make_forward_pass
/// does.
template <typename T>
std::unique_ptr<ForwardPass> make_device_pass(const Architecture& architecture,
                                              const Sharding& sharding, const Arena& weights,
                                              const std::byte* device_weights, DeviceWork<T>& work,
                                              TensorGroup& group, const DecoderOptions& options,
                                              const LayerRoute& route);

}  // namespace galapagos::cuda
