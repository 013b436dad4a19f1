// Which GPU a rank computes on.
#pragma once

#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "comm/device.hpp"

namespace galapagos {

struct DeviceChoice {
    std::optional<DeviceInfo> device;  ///< none: compute on the CPU
    std::string why_none;
};

enum class DeviceSharing { refused, allowed };

/// Collective over `world`; `seen` is what this rank sees. A rank takes the GPU of its number on
/// its node, modulo the number of GPUs that it sees: that is right both where ranks see all GPUs of
/// their node and where each sees its own. All ranks compute on the CPU if none sees a GPU.
/// Throws the same Error on every rank if two ranks would be on one GPU and sharing is refused
/// (GPUs are told apart by UUID), if a GPU is broken, or if only some ranks see one.
DeviceChoice choose_device(const Communicator& world, const DeviceReport& seen,
                           DeviceSharing sharing = DeviceSharing::refused);

}  // namespace galapagos
