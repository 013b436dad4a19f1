// The memory of the emulated device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "emulator/global_watch.hpp"

namespace galapagos::emulator {

enum class MemoryKind { device, managed, pinned };

/// A piece of memory that kernels may touch. The host finds the bytes at address + to_storage.
struct Allocation {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
    std::ptrdiff_t to_storage = 0;
    MemoryKind kind = MemoryKind::device;
    Touched* touched = nullptr;  ///< of every two bytes

    bool holds(std::uint64_t at, std::uint64_t size) const {
        return at >= address && size <= bytes && at - address <= bytes - size;
    }
    std::byte* storage(std::uint64_t at) const {
        return reinterpret_cast<std::byte*>(at) + to_storage;
    }
};

/// All allocations. Addresses of device memory can't be touched by the host: its bytes lie
/// elsewhere, so that a host that reads through a device pointer crashes as it would with a GPU.
/// Addresses are never used twice and no allocation touches another one. New memory is all 0xFF:
/// NaN in every floating-point type.
class DeviceMemory {
  public:
    static constexpr std::uint64_t total_bytes = std::uint64_t{8} << 30;

    /// nullptr if there is not enough left.
    void* allocate(std::size_t bytes, MemoryKind kind);
    /// False if no allocation of that kind (host: pinned) begins there.
    bool release(void* address, bool host);

    /// The allocation that holds the address, or nullptr.
    const Allocation* find(std::uint64_t address) const;
    std::uint64_t free_bytes() const { return total_bytes - used_; }

  private:
    void* allocate_device(std::size_t bytes);

    std::map<std::uint64_t, Allocation> allocations_;
    std::uint64_t used_ = 0;
    std::byte* addresses_ = nullptr;  ///< of device memory, which nothing may touch
    std::byte* storage_ = nullptr;
    std::size_t next_ = 0;
};

DeviceMemory& device_memory();

/// The bytes that the device has at an address, of which all must be in one allocation; throws
/// Fault that begins with `what`.
std::byte* device_bytes(const void* address, std::size_t bytes, const char* what);

}  // namespace galapagos::emulator
