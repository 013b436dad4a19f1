#include "emulator/memory_access.hpp"

#include <atomic>
#include <sstream>

#include "emulator/block.hpp"
#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

using Space = MemoryAccess::Space;

template <Space space>
const std::byte* readable(Warp& warp, LaneMask lanes, std::uint64_t address, std::size_t size,
                          bool is_volatile) {
    Block& block = warp.block();
    if constexpr (space == Space::parameter) return block.parameter(address, size);
    if constexpr (space == Space::generic) {
        if (address - shared_window < shared_window_bytes)
            return block.shared().read(warp, lanes, address - shared_window, size, is_volatile);
    }
    if constexpr (space == Space::shared)
        return block.shared().read(warp, lanes, address, size, is_volatile);
    return block.global(address, size, __builtin_ctz(lanes),
                        is_volatile ? Access::atomic : Access::read);
}

template <Space space>
std::byte* writable(Warp& warp, int lane, std::uint64_t address, std::size_t size, bool is_atomic) {
    Block& block = warp.block();
    if constexpr (space == Space::generic) {
        if (address - shared_window < shared_window_bytes)
            return block.shared().write(warp, lane, address - shared_window, size, is_atomic);
    }
    if constexpr (space == Space::shared)
        return block.shared().write(warp, lane, address, size, is_atomic);
    return block.global(address, size, lane, is_atomic ? Access::atomic : Access::write);
}

template <typename Value>
Value value_at(const std::byte* bytes, int index) {
    Value value;
    std::memcpy(&value, bytes + static_cast<std::size_t>(index) * sizeof value, sizeof value);
    return value;
}

template <Space space, typename Value, typename Register, typename Address>
void load(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const Address* const addresses = warp.lanes<Address>(instruction.operands[address_operand]);
    const std::size_t size = sizeof(Value) * instruction.count;
    const auto at = [&](int lane) {
        return std::uint64_t{addresses[lane]} + static_cast<std::uint64_t>(instruction.number);
    };
    if (instruction.uniform) {
        const std::byte* from = readable<space>(warp, lanes, at(0), size, instruction.relaxed);
        for (int i = 0; i < instruction.count; ++i) {
            const auto value = static_cast<Register>(value_at<Value>(from, i));
            auto* const result = warp.lanes<Register>(instruction.operands[i]);
            for (int lane = 0; lane < warp_lanes; ++lane)
                result[lane] = lanes >> lane & 1 ? value : result[lane];
        }
        return;
    }
    for (LaneMask left = lanes; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        const std::byte* from =
            readable<space>(warp, LaneMask{1} << lane, at(lane), size, instruction.relaxed);
        for (int i = 0; i < instruction.count; ++i)
            warp.lanes<Register>(instruction.operands[i])[lane] =
                static_cast<Register>(value_at<Value>(from, i));
    }
}

template <Space space, typename Value, typename Register, typename Address>
void store(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const Address* const addresses = warp.lanes<Address>(instruction.operands[address_operand]);
    const std::size_t size = sizeof(Value) * instruction.count;
    for (LaneMask left = lanes; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        const std::uint64_t at =
            std::uint64_t{addresses[lane]} + static_cast<std::uint64_t>(instruction.number);
        std::byte* const to = writable<space>(warp, lane, at, size, instruction.relaxed);
        for (int i = 0; i < instruction.count; ++i) {
            const auto value =
                static_cast<Value>(warp.lanes<Register>(instruction.operands[i])[lane]);
            std::memcpy(to + static_cast<std::size_t>(i) * sizeof value, &value, sizeof value);
        }
    }
}

template <typename Value>
Value added(std::atomic_ref<Value> place, Value a, Value) {
    return place.fetch_add(a);
}
template <typename Value>
Value raised(std::atomic_ref<Value> place, Value a, Value) {
    Value old = place.load();
    while (old < a && !place.compare_exchange_weak(old, a)) {
    }
    return old;
}
template <typename Value>
Value swapped_if_equal(std::atomic_ref<Value> place, Value expected, Value made) {
    place.compare_exchange_strong(expected, made);
    return expected;
}

/// The operands after the address may be one or two.
template <Space space, auto op, typename Value, typename Address>
void atomic(Warp& warp, const Instruction& instruction, LaneMask lanes) {
    const Address* const addresses = warp.lanes<Address>(instruction.operands[address_operand]);
    for (LaneMask left = lanes; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        const std::uint64_t at =
            std::uint64_t{addresses[lane]} + static_cast<std::uint64_t>(instruction.number);
        readable<space>(warp, LaneMask{1} << lane, at, sizeof(Value), true);
        std::byte* const place = writable<space>(warp, lane, at, sizeof(Value), true);
        const auto operand = [&](std::size_t i) {
            return warp.lanes<Value>(instruction.operands[address_operand + i])[lane];
        };
        warp.lanes<Value>(instruction.operands[0])[lane] =
            op(std::atomic_ref(*reinterpret_cast<Value*>(place)), operand(1), operand(2));
    }
}

/// Addresses in shared memory have four bytes or eight, all others eight.
template <Space space, typename Value, typename Register>
Run of_address(bool stores, std::size_t address_bytes) {
    const auto of = [&]<typename Address>() -> Run {
        // What is stored has no sign.
        if constexpr (std::is_signed_v<Value> || space == Space::parameter)
            return load<space, Value, Register, Address>;
        else
            return stores ? store<space, Value, Register, Address>
                          : load<space, Value, Register, Address>;
    };
    if (address_bytes == 8) return of.template operator()<std::uint64_t>();
    if constexpr (space == Space::shared) return of.template operator()<std::uint32_t>();
    return nullptr;
}

template <Space space, typename Value>
Run of_register(bool stores, std::size_t register_bytes, std::size_t address_bytes) {
    if constexpr (sizeof(Value) <= 2)
        if (register_bytes == 2)
            return of_address<space, Value, std::uint16_t>(stores, address_bytes);
    if constexpr (sizeof(Value) <= 4)
        if (register_bytes == 4)
            return of_address<space, Value, std::uint32_t>(stores, address_bytes);
    if (register_bytes == 8) return of_address<space, Value, std::uint64_t>(stores, address_bytes);
    return nullptr;
}

template <Space space>
Run of_type(const MemoryAccess& access, std::size_t register_bytes, std::size_t address_bytes) {
    const bool stores = access.kind == MemoryAccess::Kind::store;
    const bool with_sign = access.type.front() == 's' && !stores;
    const auto of = [&]<typename Value>() {
        return of_register<space, Value>(stores, register_bytes, address_bytes);
    };
    switch (access.bytes()) {
        case 1:
            return with_sign ? of.template operator()<std::int8_t>()
                             : of.template operator()<std::uint8_t>();
        case 2:
            return with_sign ? of.template operator()<std::int16_t>()
                             : of.template operator()<std::uint16_t>();
        case 4:
            return with_sign ? of.template operator()<std::int32_t>()
                             : of.template operator()<std::uint32_t>();
        default:
            return of.template operator()<std::uint64_t>();
    }
}

template <Space space, typename Value>
Run of_operation(const std::string& operation, std::size_t address_bytes) {
    const auto of = [&]<auto op>()->Run {
        if (address_bytes == 8) return atomic<space, op, Value, std::uint64_t>;
        if constexpr (space == Space::shared) return atomic<space, op, Value, std::uint32_t>;
        return nullptr;
    };
    if (operation == "add") return of.template operator()<added<Value>>();
    if (operation == "max") return of.template operator()<raised<Value>>();
    if (operation == "cas") return of.template operator()<swapped_if_equal<Value>>();
    return nullptr;
}

template <Space space>
Run of_space(const MemoryAccess& access, std::size_t register_bytes, std::size_t address_bytes) {
    if constexpr (space != Space::parameter) {
        if (access.kind == MemoryAccess::Kind::atomic) {
            if (access.type == "u32" || access.type == "b32")
                return of_operation<space, std::uint32_t>(access.operation, address_bytes);
            if (access.type == "u64" || access.type == "b64")
                return of_operation<space, std::uint64_t>(access.operation, address_bytes);
            return nullptr;
        }
    }
    return of_type<space>(access, register_bytes, address_bytes);
}

}  // namespace

std::size_t MemoryAccess::bytes() const {
    return static_cast<std::size_t>(std::stoi(type.substr(1))) / 8;
}

bool is_memory_access(const std::string& opcode) {
    return opcode.rfind("ld.", 0) == 0 || opcode.rfind("st.", 0) == 0 ||
           opcode.rfind("atom.", 0) == 0 || opcode.rfind("red.", 0) == 0;
}

MemoryAccess memory_access(const std::string& opcode) {
    MemoryAccess access;
    std::istringstream parts(opcode);
    std::string part;
    std::getline(parts, part, '.');
    if (part == "st") access.kind = MemoryAccess::Kind::store;
    if (part == "atom" || part == "red") access.kind = MemoryAccess::Kind::atomic;
    while (std::getline(parts, part, '.')) {
        if (part == "global")
            access.space = Space::global;
        else if (part == "shared")
            access.space = Space::shared;
        else if (part == "param")
            access.space = Space::parameter;
        else if (part == "volatile")
            access.is_volatile = true;
        else if (part == "v2" || part == "v4")
            access.count = part[1] - '0';
        else if (part == "add" || part == "max" || part == "cas")
            access.operation = part;
        else if (part.find_first_of("0123456789") == 1)
            access.type = part;
        else if (part != "nc")
            throw Unsupported("opcode " + opcode);
    }
    return access;
}

Run memory_operation(const MemoryAccess& access, std::size_t register_bytes,
                     std::size_t address_bytes) {
    switch (access.space) {
        case Space::generic:
            return of_space<Space::generic>(access, register_bytes, address_bytes);
        case Space::global:
            return of_space<Space::global>(access, register_bytes, address_bytes);
        case Space::shared:
            return of_space<Space::shared>(access, register_bytes, address_bytes);
        default:
            return access.kind == MemoryAccess::Kind::load
                       ? of_space<Space::parameter>(access, register_bytes, address_bytes)
                       : nullptr;
    }
}

}  // namespace galapagos::emulator
