// A block of threads on the emulated device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "emulator/device_memory.hpp"
#include "emulator/program.hpp"
#include "emulator/shared_memory.hpp"
#include "emulator/warp.hpp"

namespace galapagos::emulator {

struct Launch {
    std::uint32_t blocks = 1, threads = 1;
    std::size_t dynamic_shared_bytes = 0;
    std::vector<std::byte> parameters;
    std::uint64_t number = 0;  ///< of all launches
};

/// Runs the blocks of a launch one after the other, each warp until it waits.
class Block {
  public:
    Block(const Program& program, const Launch& launch);

    /// Throws std::runtime_error that says where in which kernel what went wrong.
    void run(std::uint32_t number);

    // For the instructions.
    SharedMemory& shared() { return shared_; }
    const std::byte* parameter(std::uint64_t offset, std::size_t size) const;
    /// Bytes of global memory, after all checks.
    std::byte* global(std::uint64_t address, std::size_t size, int lane, Access access) {
        if (!recent_.holds(address, size)) look_up(address, size, lane);
        if ((address & (size - 1)) != 0) misaligned(address, size, lane);
        note(address, size, lane, access);
        return recent_.storage(address);
    }

  private:
    void look_up(std::uint64_t address, std::size_t size, int lane);
    [[noreturn]] static void misaligned(std::uint64_t address, std::size_t size, int lane);
    void note(std::uint64_t address, std::size_t size, int lane, Access access);
    void start(std::uint32_t number);
    void run_warps();
    void check_barrier() const;

    const Program& program_;
    const Launch& launch_;
    SharedMemory shared_;
    Allocation recent_;  ///< the last one that was touched
    std::vector<std::unique_ptr<Warp>> warps_;
    const Warp* running_ = nullptr;
    std::uint32_t number_ = 0, phase_ = 0;
    Toucher toucher_ = Toucher::of(0, 0, 0, 0);  ///< the warp that runs
};

/// Runs all blocks of a launch, on all cores.
void run_grid(const Program& program, const Launch& launch);

}  // namespace galapagos::emulator
