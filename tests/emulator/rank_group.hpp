// Ranks of one machine that exchange bytes through a piece of shared memory, without blocking.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace galapagos::emulator {

/// One of the streams' work, one of the host's own calls: each has an order of its own.
enum class Channel { stream, host };

class RankGroup {
  public:
    /// Every rank opens the group by its name.
    RankGroup(const std::string& name, int size, int rank);
    ~RankGroup();
    RankGroup(const RankGroup&) = delete;
    RankGroup& operator=(const RankGroup&) = delete;

    const std::string& name() const { return name_; }
    int size() const { return size_; }
    int rank() const { return rank_; }
    /// True once all ranks have opened it.
    bool complete() const;
    /// A name for a part of the group, another one each time.
    std::string part_name(int color) {
        return name_ + "-" + std::to_string(++parts_) + "-" + std::to_string(color);
    }

    /// Every rank gives as many bytes and gets those of all. Begun by all ranks in one order for
    /// each channel, and then tried until it is done.
    class Exchange {
      public:
        Exchange(RankGroup& group, Channel channel) : group_(&group), channel_(channel) {}
        /// `all` has room for the bytes of all ranks. True when they are there; the next call
        /// begins another exchange.
        bool try_once(std::span<const std::byte> mine, std::byte* all);

      private:
        RankGroup* group_;
        Channel channel_;
        std::uint64_t number_ = 0;  ///< 0: not begun
        bool given_ = false;
    };

    /// That a rank may give, and a little more for what the call is.
    static constexpr std::size_t most_bytes = std::size_t{1} << 20;

  private:
    static constexpr int most_ranks = 8;
    struct Slot {
        std::atomic<std::uint64_t> given, taken;  ///< numbers of the last exchanges
        std::byte bytes[most_bytes + 64];
    };
    struct Region {
        std::atomic<int> here;
        Slot slots[2][most_ranks];
    };

    Slot& slot(Channel channel, int rank) const;
    bool all_have(std::atomic<std::uint64_t> Slot::*counter, Channel channel,
                  std::uint64_t number) const;

    std::string name_;
    int size_, rank_;
    Region* region_ = nullptr;
    std::uint64_t begun_[2] = {};
    int parts_ = 0;
};

}  // namespace galapagos::emulator
