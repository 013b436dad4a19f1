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

/// As cudaDriverGetVersion and cudaRuntimeGetVersion number them.
std::string cuda_version(int number) {
    return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

/// Why no GPU is to be had, if it is the driver's age. Where there is none its version is 0.
std::string about_driver(cudaError_t code) {
    int driver = 0, built_for = 0;
    if (code != cudaErrorInsufficientDriver || cudaDriverGetVersion(&driver) != cudaSuccess ||
        driver == 0 || cudaRuntimeGetVersion(&built_for) != cudaSuccess)
        return "";
    return fmt::format(
        ": the driver is for CUDA {}, this build for {}; update one, or build with "
        "the other's toolkit",
        cuda_version(driver), cuda_version(built_for));
}

/// The forward pass multiplies bf16 on matrix units, which GPUs have from Ampere on.
constexpr int least_capability = 8;

/// Neither is a fault: there is no driver (or one too old for this build), or no GPU.
bool means_no_gpu(cudaError_t code) {
    return code == cudaErrorInsufficientDriver || code == cudaErrorNoDevice;
}

}  // namespace

DeviceReport visible_devices() {
    int count = 0;  // left alone by a call that fails
    if (const auto code = cudaGetDeviceCount(&count); code != cudaSuccess)
        return {{}, describe(code) + about_driver(code), !means_no_gpu(code)};
    if (count == 0) return {{}, "the driver shows no GPU"};
    DeviceReport report;
    std::string too_old;
    for (int index = 0; index < count; ++index) {
        cudaDeviceProp properties{};
        if (const auto code = cudaGetDeviceProperties(&properties, index); code != cudaSuccess)
            return {{}, fmt::format("GPU {}: {}", index, describe(code)), true};
        if (properties.major < least_capability) {
            too_old =
                fmt::format("{} has compute capability {}.{}, {}.0 is needed", properties.name,
                            properties.major, properties.minor, least_capability);
            continue;
        }
        report.devices.push_back({properties.name, uuid_text(properties.uuid),
                                  static_cast<double>(properties.totalGlobalMem) / (1 << 30),
                                  index});
    }
    if (report.devices.empty()) report.why_none = too_old;
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
