#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// Remembers the ids of short words, in a table of fixed size that forgets everything when it is
/// full. Not for several threads at once.
class WordCache {
  public:
    /// Ids of `word`; null if it isn't remembered. They stay valid until the next insert.
    const std::span<const std::int32_t>* find(std::string_view word);

    /// Remembers a word that `find` didn't find just before; long ones are left out.
    void insert(std::string_view word, std::span<const std::int32_t> ids);

  private:
    struct Slot {
        std::uint64_t hash = 0;
        std::uint32_t word = 0;  // offsets into words_ and ids_
        std::uint32_t ids = 0;
        std::uint16_t word_size = 0;  // 0: free
        std::uint16_t id_count = 0;
    };

    Slot* slot_of(std::string_view word, std::uint64_t hash);

    std::vector<Slot> slots_;
    std::string words_;
    std::vector<std::int32_t> ids_;
    std::size_t count_ = 0;
    std::span<const std::int32_t> found_;
};

}  // namespace galapagos
