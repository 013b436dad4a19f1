#include "comm/device.hpp"

namespace galapagos {

DeviceReport visible_devices() { return {{}, "this build has no CUDA (preset cuda)"}; }

}  // namespace galapagos
