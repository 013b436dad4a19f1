#include "history/crc32.hpp"

#include <array>

namespace galapagos {

uint32_t crc32(std::span<const std::byte> bytes, uint32_t previous) {
    static const auto table = [] {
        std::array<uint32_t, 256> values{};
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
            values[i] = value;
        }
        return values;
    }();
    uint32_t sum = ~previous;
    for (const std::byte byte : bytes)
        sum = (sum >> 8) ^ table[(sum ^ std::to_integer<uint32_t>(byte)) & 0xFF];
    return ~sum;
}

}  // namespace galapagos
