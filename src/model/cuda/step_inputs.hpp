#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"

namespace galapagos::cuda {

/// What the host tells the device about a run, in one copy of a fixed size.
class StepInputs {
  public:
    explicit StepInputs(std::int64_t tokens)
        : tokens_(static_cast<std::size_t>(tokens)), host_(tokens_ * row_bytes) {}

    void add_to(PassMemory& memory) {
        memory.add(device_, static_cast<std::int64_t>(host_.size()));
    }

    template <typename T>
    void copy(std::span<const Place> places, std::span<const TokenTile> tiles,
              std::span<const std::int32_t> tokens, std::span<const std::int32_t> wanted,
              DeviceWork<T>& work) {
        put(std::as_bytes(places), places_at());
        put(std::as_bytes(tiles), tiles_at());
        put(std::as_bytes(tokens), tokens_at());
        put(std::as_bytes(wanted), wanted_at());
        work.copy_in(host_.data(), host_.size(), device_);
    }

    const Place* places() const { return reinterpret_cast<const Place*>(device_ + places_at()); }
    const TokenTile* tiles() const {
        return reinterpret_cast<const TokenTile*>(device_ + tiles_at());
    }
    const std::int32_t* tokens() const {
        return reinterpret_cast<const std::int32_t*>(device_ + tokens_at());
    }
    const std::int32_t* wanted() const {
        return reinterpret_cast<const std::int32_t*>(device_ + wanted_at());
    }

  private:
    static constexpr std::size_t row_bytes =
        sizeof(Place) + sizeof(TokenTile) + 2 * sizeof(std::int32_t);
    std::size_t places_at() const { return 0; }
    std::size_t tiles_at() const { return tokens_ * sizeof(Place); }
    std::size_t tokens_at() const { return tiles_at() + tokens_ * sizeof(TokenTile); }
    std::size_t wanted_at() const { return tokens_at() + tokens_ * sizeof(std::int32_t); }
    void put(std::span<const std::byte> bytes, std::size_t at) {
        if (!bytes.empty()) std::memcpy(host_.data() + at, bytes.data(), bytes.size());
    }

    std::size_t tokens_;
    std::vector<std::byte> host_;
    std::byte* device_ = nullptr;
};

}  // namespace galapagos::cuda
