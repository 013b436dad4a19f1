// What a rank computes on: the CPU, or which GPU.
#pragma once

#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "comm/device.hpp"

namespace galapagos {

struct DeviceChoice {
    std::optional<DeviceInfo> device;  ///< none: compute on the CPU
    std::string why_none;              ///< empty where nobody asked for a GPU
};

/// What a user asks for. Every rank evaluates candidates, so every rank needs a GPU or none does.
enum class DeviceWish {
    cpu,
    gpu,        ///< an error where a rank can't have one
    automatic,  ///< the CPU where a rank can't have one
};

enum class DeviceSharing { refused, allowed };

/// Collective over `world`; `seen` is what this rank sees. A rank takes the GPU of its number on
/// its node, modulo the number of GPUs that it sees: that is right both where ranks see all GPUs of
/// their node and where each sees its own. All ranks compute on the CPU if none sees a GPU.
/// Throws the same error on every rank: a UsageError if two ranks would be on one GPU and sharing
/// is refused (GPUs are told apart by UUID) or only some ranks see one, an Error if a GPU is
/// broken.
DeviceChoice choose_device(const Communicator& world, const DeviceReport& seen,
                           DeviceSharing sharing = DeviceSharing::refused);

/// The same, as wished. `gpu`: no GPU at all is a UsageError too. `automatic`: what would be an
/// error is a reason to use the CPU.
DeviceChoice grant_device(const Communicator& world, DeviceWish wish, const DeviceReport& seen,
                          DeviceSharing sharing);

}  // namespace galapagos
