// What the candidates of a command are merged and run on.
#pragma once

#include <string>

#include "comm/device_choice.hpp"
#include "island/candidate_model.hpp"

namespace galapagos {

struct RunDevice {
    DeviceWish kind = DeviceWish::cpu;  ///< what was chosen: cpu or gpu
    std::string name;     ///< "cpu", or the GPUs of all ranks: "4 x NVIDIA H100 80GB HBM3"
    std::string why_cpu;  ///< where a GPU would have been taken
    /// What scores depend on, to rounding: the kinds of GPUs, or of processors with their kernels
    /// ("AMD EPYC 7763 (avx2)"), one after the other.
    std::string kinds;
    CandidateFactory make_candidate;
};

/// Collective. Makes a rank's GPU the current one of its main thread, if it is to have one. What is
/// wrong is printed once, and a warning where there are several kinds.
RunDevice take_device(const Communicator& world, DeviceWish wish, bool share_gpus);

/// "computing on the CPU (why)", for the log.
std::string describe(const RunDevice& device);

}  // namespace galapagos
