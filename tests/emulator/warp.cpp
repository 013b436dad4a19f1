#include "emulator/warp.hpp"

#include <algorithm>
#include <limits>

#include "emulator/block.hpp"
#include "emulator/fault.hpp"

namespace galapagos::emulator {

Warp::Warp(const Program& program, Block& block, int number)
    : program_(program),
      block_(block),
      number_(number),
      registers_(
          static_cast<std::byte*>(::operator new[](program.register_bytes, std::align_val_t{64}))),
      predicates_(program.predicates) {
    std::memset(registers_.get(), 0xFF, program.register_bytes);
    for (const Constant& constant : program.constants)
        for (int lane = 0; lane < warp_lanes; ++lane)
            std::memcpy(
                registers_.get() + constant.slot + static_cast<std::size_t>(lane) * constant.bytes,
                &constant.value, constant.bytes);
}

void Warp::start(std::uint32_t threads_here) {
    active_ = threads_here == warp_lanes ? all_lanes : (LaneMask{1} << threads_here) - 1;
    ended_ = ~active_;
    at_barrier_ = 0;
    position_ = 0;
    limit_ = std::numeric_limits<std::size_t>::max();
    waiting_.clear();
    parked_.clear();
    predicates_[0] = all_lanes;
    std::memset(clocks_, 0, sizeof clocks_);
    for (int lane = 0; lane < warp_lanes; ++lane) clocks_[lane][lane] = 1;
}

void Warp::run() {
    const Instruction* const instructions = program_.instructions.data();
    while (active_ != 0) {
        if (position_ >= limit_) meet_others();
        const Instruction& instruction = instructions[position_++];
        const LaneMask lanes = active_ & (predicates_[instruction.guard] ^ instruction.guard_flip);
        if (lanes == 0) continue;
        instruction.run(*this, instruction, lanes);
        if (active_ == 0) take_next();
    }
    if (parked_.empty()) return;
    position_ = parked_.back().position + 1;
    throw Fault("waits for threads of its warp that do not come",
                __builtin_ctz(parked_.back().lanes));
}

void Warp::leave_barrier() {
    active_ = at_barrier_;
    at_barrier_ = 0;
    position_ = barrier_position_ + 1;
}

void Warp::branch(LaneMask lanes, std::size_t target) {
    if (lanes == active_) {
        position_ = target;
        return;
    }
    insert(target, lanes);
    insert(position_, active_ & ~lanes);
    take_next();
}

void Warp::end(LaneMask lanes) {
    ended_ |= lanes;
    active_ &= ~lanes;
}

void Warp::wait_for_block(LaneMask lanes) {
    if (at_barrier_ != 0 && barrier_position_ != position())
        throw Fault("threads of a warp wait at different barriers", __builtin_ctz(lanes));
    barrier_position_ = position();
    at_barrier_ |= lanes;
    active_ &= ~lanes;
}

/// Adds those that wait at this instruction already.
void Warp::arrive(LaneMask& lanes) {
    if (lanes != active_) throw Unsupported("a guard on an instruction of a whole warp");
    for (std::size_t i = 0; i < parked_.size(); ++i) {
        if (parked_[i].position != position()) continue;
        lanes |= parked_[i].lanes;
        parked_.erase(parked_.begin() + static_cast<std::ptrdiff_t>(i));
        return;
    }
}

void Warp::park(LaneMask lanes) {
    if (lanes != 0) parked_.push_back({position(), lanes});
}

void Warp::synchronize(LaneMask lanes) {
    for (int other = 0; other < warp_lanes; ++other) {
        std::uint32_t latest = 0;
        for (int lane = 0; lane < warp_lanes; ++lane)
            if (lanes >> lane & 1) latest = std::max(latest, clocks_[lane][other]);
        for (int lane = 0; lane < warp_lanes; ++lane)
            if (lanes >> lane & 1) clocks_[lane][other] = latest;
    }
    for (int lane = 0; lane < warp_lanes; ++lane)
        if (lanes >> lane & 1) ++clocks_[lane][lane];
}

void Warp::insert(std::size_t position, LaneMask lanes) {
    auto at = waiting_.begin();
    while (at != waiting_.end() && at->position > position) ++at;
    if (at != waiting_.end() && at->position == position)
        at->lanes |= lanes;
    else
        waiting_.insert(at, {position, lanes});
}

void Warp::take_next() {
    active_ = 0;
    if (!waiting_.empty()) {
        active_ = waiting_.back().lanes;
        position_ = waiting_.back().position;
        waiting_.pop_back();
    }
    limit_ = waiting_.empty() ? std::numeric_limits<std::size_t>::max() : waiting_.back().position;
}

/// The active lanes have come to where others wait, or past them.
void Warp::meet_others() {
    insert(position_, active_);
    take_next();
}

}  // namespace galapagos::emulator
