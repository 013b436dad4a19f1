#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace galapagos {

/// A hash table from 64-bit keys to small values, made once and then only read: one probe into one
/// array, where std::unordered_map follows pointers. The key ~0 can't be used.
template <typename Value>
class IdMap {
  public:
    explicit IdMap(std::size_t expected = 0)
        : mask_(std::bit_ceil(2 * expected + 2) - 1), entries_(mask_ + 1) {}

    /// Sets the value of `key`; at most `expected` different keys.
    void set(std::uint64_t key, Value value) { entries_[place_of(key)] = {key, value}; }

    const Value* find(std::uint64_t key) const {
        const Entry& entry = entries_[place_of(key)];
        return entry.key == key ? &entry.value : nullptr;
    }

  private:
    static constexpr std::uint64_t free_key = ~std::uint64_t{0};

    struct Entry {
        std::uint64_t key = free_key;
        Value value{};
    };

    std::size_t place_of(std::uint64_t key) const {
        std::uint64_t hash = key * 0x9E3779B97F4A7C15;
        hash ^= hash >> 32;
        std::size_t place = hash & mask_;
        while (entries_[place].key != key && entries_[place].key != free_key) {
            place = (place + 1) & mask_;
        }
        return place;
    }

    std::size_t mask_;
    std::vector<Entry> entries_;
};

}  // namespace galapagos
