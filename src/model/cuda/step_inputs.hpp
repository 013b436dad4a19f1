#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/cuda/device_work.hpp"
#include "model/cuda/pass_memory.hpp"

namespace galapagos::cuda {

/// What the host tells the device about a run, in one copy. Where it lies depends on how much of
/// each there is, so that steps of one shape find it at the same addresses.
class StepInputs {
  public:
    explicit StepInputs(std::int64_t tokens)
        : most_bytes_(static_cast<std::size_t>(tokens) * row_bytes) {
        host_.reserve(most_bytes_);
    }

    void add_to(PassMemory& memory) { memory.add(device_, static_cast<std::int64_t>(most_bytes_)); }

    template <typename T>
    void copy(std::span<const Place> places, std::span<const TokenTile> tiles,
              std::span<const std::int32_t> tokens, std::span<const std::int32_t> wanted,
              DeviceWork<T>& work) {
        host_.clear();
        places_ = put(places);
        tiles_ = put(tiles);
        tokens_ = put(tokens);
        wanted_ = put(wanted);
        work.copy_in(host_.data(), host_.size(), device_);
    }

    const Place* places() const { return places_; }
    const TokenTile* tiles() const { return tiles_; }
    const std::int32_t* tokens() const { return tokens_; }
    const std::int32_t* wanted() const { return wanted_; }

  private:
    static constexpr std::size_t row_bytes =
        sizeof(Place) + sizeof(TokenTile) + 2 * sizeof(std::int32_t);

    /// Where the values will lie on the device. The widest come first: nothing is misaligned.
    template <typename Value>
    const Value* put(std::span<const Value> values) {
        const auto bytes = std::as_bytes(values);
        const auto* place = reinterpret_cast<const Value*>(device_ + host_.size());
        host_.insert(host_.end(), bytes.begin(), bytes.end());
        return place;
    }

    std::size_t most_bytes_;
    std::vector<std::byte> host_;
    std::byte* device_ = nullptr;
    const Place* places_ = nullptr;
    const TokenTile* tiles_ = nullptr;
    const std::int32_t *tokens_ = nullptr, *wanted_ = nullptr;
};

}  // namespace galapagos::cuda
