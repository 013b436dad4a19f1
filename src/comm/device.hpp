#pragma once

#include <string>
#include <vector>

namespace galapagos {

/// A GPU that this process can see.
struct DeviceInfo {
    std::string name;
    std::string uuid;
    double memory_gib = 0;
};

/// The GPUs that this process can see. `why_none` says why there are none: a build without CUDA, no
/// driver, no GPU. A CUDA build on a machine without a GPU or driver runs on the CPU.
struct DeviceReport {
    std::vector<DeviceInfo> devices;
    std::string why_none;
};
DeviceReport visible_devices();

}  // namespace galapagos
