#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "base/error.hpp"
#include "comm/device.hpp"

namespace galapagos {
namespace {

std::string uuid_text(const cudaUUID_t& uuid) {
    std::string text = "GPU-";
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += fmt::format("{:02x}", static_cast<unsigned char>(uuid.bytes[i]));
    }
    return text;
}

std::string describe(cudaError_t code) {
    return fmt::format("{}: {}", cudaGetErrorName(code), cudaGetErrorString(code));
}

/// Neither is a fault: there is no driver (or one too old for this build), or no GPU.
bool means_no_gpu(cudaError_t code) {
    return code == cudaErrorInsufficientDriver || code == cudaErrorNoDevice;
}

}  // namespace

DeviceReport visible_devices() {
    int count = 0;  // left alone by a call that fails
    if (const auto code = cudaGetDeviceCount(&count); code != cudaSuccess)
        return {{}, describe(code), !means_no_gpu(code)};
    if (count == 0) return {{}, "the driver shows no GPU"};
    DeviceReport report;
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        if (const auto code = cudaGetDeviceProperties(&properties, index); code != cudaSuccess)
            return {{}, fmt::format("GPU {}: {}", index, describe(code)), true};
        report.devices.push_back({properties.name, uuid_text(properties.uuid),
                                  static_cast<double>(properties.totalGlobalMem) / (1 << 30),
                                  index});
    }
    return report;
}

void use_device(const DeviceInfo& device) {
    const std::string what = fmt::format("can't use the GPU {} ({})", device.index, device.uuid);
    cudaDeviceProp properties{};
    auto code = cudaSetDevice(device.index);
    if (code == cudaSuccess) code = cudaGetDeviceProperties(&properties, device.index);
    if (code != cudaSuccess)
        throw Error(what, describe(code), "does another process have it in exclusive mode?");
    if (const auto found = uuid_text(properties.uuid); found != device.uuid)
        throw Error(what, "that number is now " + found,
                    "CUDA_VISIBLE_DEVICES must not change while the program runs");
}

}  // namespace galapagos
