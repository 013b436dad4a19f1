#include "emulator/device_memory.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

constexpr std::size_t address_space = std::size_t{1} << 38;
constexpr std::size_t page = 4096;
constexpr int poison = 0xFF;

std::byte* map(std::size_t bytes, int protection) {
    void* at = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(at);
}

/// A gap of a page at least, so that what runs over the end runs into nothing.
std::size_t room_for(std::size_t bytes) { return (bytes + page - 1) / page * page + page; }

std::size_t touched_bytes(std::size_t bytes) { return (bytes / 2 + 1) * sizeof(Touched); }

}  // namespace

void* DeviceMemory::allocate_device(std::size_t bytes) {
    if (addresses_ == nullptr) {
        addresses_ = map(address_space, PROT_NONE);
        storage_ = map(address_space, PROT_READ | PROT_WRITE);
    }
    if (next_ + room_for(bytes) > address_space) return nullptr;
    std::byte* at = addresses_ + next_;
    next_ += room_for(bytes);
    return at;
}

void* DeviceMemory::allocate(std::size_t bytes, MemoryKind kind) {
    if (kind != MemoryKind::pinned && bytes > free_bytes()) return nullptr;
    const bool device = kind == MemoryKind::device;
    void* at = device ? allocate_device(bytes) : std::aligned_alloc(page, room_for(bytes));
    if (at == nullptr) return nullptr;
    const auto address = reinterpret_cast<std::uint64_t>(at);
    const Allocation made{
        address, bytes, device ? storage_ - addresses_ : 0, kind,
        reinterpret_cast<Touched*>(map(touched_bytes(bytes), PROT_READ | PROT_WRITE))};
    std::memset(made.storage(address), poison, bytes);
    allocations_.emplace(address, made);
    if (kind != MemoryKind::pinned) used_ += bytes;
    return at;
}

bool DeviceMemory::release(void* address, bool host) {
    const auto found = allocations_.find(reinterpret_cast<std::uint64_t>(address));
    if (found == allocations_.end()) return false;
    const Allocation& old = found->second;
    if (host != (old.kind == MemoryKind::pinned)) return false;
    if (old.kind == MemoryKind::device)
        madvise(old.storage(old.address), room_for(old.bytes) - page, MADV_DONTNEED);
    else
        std::free(address);
    munmap(old.touched, touched_bytes(old.bytes));
    if (!host) used_ -= old.bytes;
    allocations_.erase(found);
    return true;
}

const Allocation* DeviceMemory::find(std::uint64_t address) const {
    auto next = allocations_.upper_bound(address);
    if (next == allocations_.begin()) return nullptr;
    const Allocation& before = std::prev(next)->second;
    return before.holds(address, 1) ? &before : nullptr;
}

DeviceMemory& device_memory() {
    static DeviceMemory* const memory = new DeviceMemory;  // outlives every static object
    return *memory;
}

std::byte* device_bytes(const void* address, std::size_t bytes, const char* what) {
    const auto at = reinterpret_cast<std::uint64_t>(address);
    const Allocation* found = device_memory().find(at);
    if (found == nullptr || !found->holds(at, bytes))
        throw Fault(std::string(what) + ": " + std::to_string(bytes) +
                    " bytes are not all in one allocation");
    return found->storage(at);
}

}  // namespace galapagos::emulator
