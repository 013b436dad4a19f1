// What candidates take of a device's memory, before there is a device.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "merge/cuda/resident_sources.hpp"
#include "merge/plan.hpp"
#include "model/decoder.hpp"
#include "weights/residency.hpp"

namespace galapagos::cuda {

/// What a rank's DeviceCandidate reserves. `own` tells which tensors of sources are not their
/// folders': of sources that a plan opened without their adapters, those that the adapters change.
/// `layout` is where a candidate's tensors lie; the rest as DeviceCandidate's parameters, in the
/// options' element type.
ResidencyNeeds candidate_needs(const std::vector<std::shared_ptr<const Source>>& sources,
                               const OwnTensors& own, const Architecture& architecture,
                               const Sharding& sharding, const Arena& layout,
                               const LayerRoute& route, const DecoderOptions& options,
                               std::span<const MergePlan> forms);

}  // namespace galapagos::cuda
