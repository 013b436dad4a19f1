#include "tokenizer/word_cache.hpp"

#include <cstring>

namespace galapagos {

namespace {

constexpr std::size_t slot_count = 1 << 17;
constexpr std::size_t capacity = slot_count / 2;
constexpr std::size_t longest_word = 256;  // longer ones are rare and would crowd out the others
constexpr std::size_t longest_search = 32;
constexpr std::uint64_t multiplier = 0x9E3779B97F4A7C15;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
    hash = (hash ^ value) * multiplier;
    return hash ^ (hash >> 29);
}

std::uint64_t hash_of(std::string_view word) {
    std::uint64_t hash = word.size();
    while (word.size() >= sizeof hash) {
        std::uint64_t value = 0;
        std::memcpy(&value, word.data(), sizeof value);
        hash = mix(hash, value);
        word.remove_prefix(sizeof value);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, word.data(), word.size());
    return mix(mix(hash, rest), 0);
}

}  // namespace

// The slot that holds `word`, or a free one for it; null if neither is near.
WordCache::Slot* WordCache::slot_of(std::string_view word, std::uint64_t hash) {
    if (slots_.empty()) {
        slots_.resize(slot_count);
    }
    for (std::size_t i = 0; i < longest_search; ++i) {
        Slot& slot = slots_[(hash + i) % slot_count];
        if (slot.word_size == 0) {
            return &slot;
        }
        const auto known = std::string_view(words_).substr(slot.word, slot.word_size);
        if (slot.hash == hash && known == word) {
            return &slot;
        }
    }
    return nullptr;
}

const std::span<const std::int32_t>* WordCache::find(std::string_view word) {
    if (word.size() > longest_word) {
        return nullptr;
    }
    const Slot* slot = slot_of(word, hash_of(word));
    if (slot == nullptr || slot->word_size == 0) {
        return nullptr;
    }
    found_ = std::span(ids_).subspan(slot->ids, slot->id_count);
    return &found_;
}

void WordCache::insert(std::string_view word, std::span<const std::int32_t> ids) {
    if (word.empty() || word.size() > longest_word) {
        return;
    }
    if (count_ == capacity) {
        slots_.assign(slot_count, {});
        words_.clear();
        ids_.clear();
        count_ = 0;
    }
    const std::uint64_t hash = hash_of(word);
    Slot* slot = slot_of(word, hash);
    if (slot == nullptr || slot->word_size != 0) {
        return;
    }
    *slot = {hash, static_cast<std::uint32_t>(words_.size()),
             static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint16_t>(word.size()),
             static_cast<std::uint16_t>(ids.size())};
    words_ += word;
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    ++count_;
}

}  // namespace galapagos
