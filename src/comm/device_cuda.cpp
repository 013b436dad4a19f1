#include <cuda_runtime_api.h>
#include <fmt/format.h>

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

}  // namespace

DeviceReport visible_devices() {
    int count = 0;
    if (const auto code = cudaGetDeviceCount(&count); code != cudaSuccess)
        return {{}, cudaGetErrorString(code)};
    if (count == 0) return {{}, "the driver shows no GPU"};
    DeviceReport report;
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) continue;
        report.devices.push_back({properties.name, uuid_text(properties.uuid),
                                  static_cast<double>(properties.totalGlobalMem) / (1 << 30)});
    }
    return report;
}

}  // namespace galapagos
