#pragma once

#include <string>
#include <vector>

namespace galapagos {

/// A GPU that this process can see.
struct DeviceInfo {
    std::string name;
    std::string uuid;
    double memory_gib = 0;
    int index = 0;  ///< CUDA's number for it in this process
};

/// The GPUs that this process can see and the kernels can run on. `why_none` says why there are
/// none: a build without CUDA, no driver or one too old, no GPU or none new enough. A CUDA build on
/// a machine without a GPU or driver runs on the CPU; `broken` means that there is a GPU, but no
/// using it.
struct DeviceReport {
    std::vector<DeviceInfo> devices;
    std::string why_none;
    bool broken = false;
};
DeviceReport visible_devices();

/// Makes a GPU that `visible_devices` reported the calling thread's own. Throws Error if it can't
/// be had, or if CUDA's number now stands for another GPU.
void use_device(const DeviceInfo& device);

}  // namespace galapagos
