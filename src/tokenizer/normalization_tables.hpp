#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace galapagos {

/// What a character is taken apart into, completely: `size` code points of the pool.
struct Decomposition {
    char32_t code_point;
    std::uint16_t offset;
    std::uint8_t size;
};

/// The canonical combining class of a mark; characters that aren't listed have class 0.
struct CombiningClass {
    char32_t code_point;
    std::uint8_t value;
};

struct Composition {
    char32_t first;
    char32_t second;
    char32_t composed;
};

inline constexpr std::size_t canonical_decomposition_count = 2060;
inline constexpr std::size_t compatibility_decomposition_count = 3678;
inline constexpr std::size_t decomposition_pool_count = 9003;
inline constexpr std::size_t combining_class_count = 814;
inline constexpr std::size_t composition_count = 940;

// All sorted by code point.
extern const std::array<Decomposition, canonical_decomposition_count> canonical_decomposition;
extern const std::array<Decomposition, compatibility_decomposition_count>
    compatibility_decomposition;
extern const std::array<char32_t, decomposition_pool_count> decomposition_pool;
extern const std::array<CombiningClass, combining_class_count> combining_class;
extern const std::array<Composition, composition_count> composition;

}  // namespace galapagos
