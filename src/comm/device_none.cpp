#include "base/error.hpp"
#include "comm/device.hpp"

namespace galapagos {

DeviceReport visible_devices() { return {{}, "this build has no CUDA (preset cuda)"}; }

void use_device(const DeviceInfo& device) {
    throw Error("can't use the GPU " + device.uuid, "this build has no CUDA",
                "build it with cmake --preset cuda");
}

}  // namespace galapagos
