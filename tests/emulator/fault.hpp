// What a kernel did wrong.
#pragma once

#include <stdexcept>
#include <string>

namespace galapagos::emulator {

/// Thrown while a kernel runs: `lane` is the thread in its warp that is at fault, or -1.
class Fault : public std::runtime_error {
  public:
    explicit Fault(const std::string& text, int lane = -1)
        : std::runtime_error(text), lane_(lane) {}

    int lane() const noexcept { return lane_; }

  private:
    int lane_;
};

/// PTX that the emulator doesn't know: a limit of the emulator, not a fault of the kernel.
class Unsupported : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace galapagos::emulator
