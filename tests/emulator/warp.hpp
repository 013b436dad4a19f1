// 32 threads that run together as long as they are at the same instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "emulator/program.hpp"

namespace galapagos::emulator {

class Block;

/// Lanes that part at a branch wait for each other at the instruction that is further on: those
/// that are behind run first, so lanes come together again as early as they can.
class Warp {
  public:
    Warp(const Program& program, Block& block, int number);

    /// Of a register or constant: 32 values.
    template <typename T>
    T* lanes(std::uint32_t slot) {
        return reinterpret_cast<T*>(registers_.get() + slot);
    }
    LaneMask& predicate(std::uint32_t number) { return predicates_[number]; }
    Block& block() { return block_; }
    int number() const { return number_; }

    void start(std::uint32_t threads_here);
    /// Runs all lanes until they have ended or wait at the block's barrier.
    void run();

    LaneMask at_barrier() const { return at_barrier_; }
    LaneMask ended() const { return ended_; }
    /// The instruction under way, or the one at which a lane is held up.
    std::size_t position() const { return position_ - 1; }
    std::size_t barrier_position() const { return barrier_position_; }
    void leave_barrier();

    // For control instructions.
    void branch(LaneMask lanes, std::size_t target);
    void end(LaneMask lanes);
    void wait_for_block(LaneMask lanes);
    /// An instruction that lanes take together: `lanes` have arrived and lane i needs those in
    /// together[i]. Returns the lanes that can go on now; the others wait. `run_together` does the
    /// work for a complete set.
    template <typename RunTogether>
    void meet(LaneMask lanes, const LaneMask* together, RunTogether&& run_together);

    // Order among the lanes between the block's barriers.
    std::uint32_t clock(int lane) const { return clocks_[lane][lane]; }
    /// Whether `lane` knows of what `other` did at that time.
    bool knows(int lane, int other, std::uint32_t time) const {
        return clocks_[lane][other] >= time;
    }
    void synchronize(LaneMask lanes);

  private:
    struct Group {
        std::size_t position = 0;
        LaneMask lanes = 0;
    };
    struct AlignedDelete {
        void operator()(std::byte* memory) const {
            ::operator delete[](memory, std::align_val_t{64});
        }
    };

    void insert(std::size_t position, LaneMask lanes);
    void take_next();
    void meet_others();
    void arrive(LaneMask& lanes);
    void park(LaneMask lanes);

    const Program& program_;
    Block& block_;
    int number_;
    std::unique_ptr<std::byte[], AlignedDelete> registers_;
    std::vector<LaneMask> predicates_;

    std::size_t position_ = 0;  ///< the next instruction of the active lanes
    std::size_t limit_ = 0;     ///< where other lanes wait
    LaneMask active_ = 0, ended_ = 0, at_barrier_ = 0;
    std::size_t barrier_position_ = 0;
    std::vector<Group> waiting_;  ///< could run; the one furthest behind comes last
    std::vector<Group> parked_;   ///< wait for other lanes of the warp
    std::uint32_t clocks_[warp_lanes][warp_lanes] = {};
};

template <typename RunTogether>
void Warp::meet(LaneMask lanes, const LaneMask* together, RunTogether&& run_together) {
    arrive(lanes);
    LaneMask ready = 0, left = lanes;
    while (left != 0) {
        const LaneMask members = together[__builtin_ctz(left)];
        if ((members & lanes) == members) {
            run_together(members);
            ready |= members;
            left &= ~members;
        } else {
            left &= left - 1;
        }
    }
    active_ = ready;
    park(lanes & ~ready);
}

}  // namespace galapagos::emulator
