#include "emulator/block.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <sstream>
#include <thread>

#include "emulator/fault.hpp"

namespace galapagos::emulator {
namespace {

std::string hexadecimal(std::uint64_t address) {
    std::ostringstream text;
    text << "0x" << std::hex << address;
    return text.str();
}

std::string bytes_at(std::uint64_t address, std::size_t size) {
    return std::to_string(size) + " bytes at " + hexadecimal(address);
}

}  // namespace

Block::Block(const Program& program, const Launch& launch)
    : program_(program),
      launch_(launch),
      shared_(program.static_shared_bytes + launch.dynamic_shared_bytes) {
    const std::uint32_t count = (launch.threads + warp_lanes - 1) / warp_lanes;
    for (std::uint32_t number = 0; number < count; ++number)
        warps_.push_back(std::make_unique<Warp>(program, *this, static_cast<int>(number)));
}

void Block::run(std::uint32_t number) {
    try {
        start(number);
        run_warps();
    } catch (const Fault& fault) {
        std::string where = "kernel " + program_.name + ", block " + std::to_string(number);
        if (running_ != nullptr && fault.lane() >= 0)
            where += ", thread " + std::to_string(running_->number() * warp_lanes + fault.lane());
        if (running_ != nullptr) where += ", " + program_.texts.at(running_->position());
        throw std::runtime_error(where + ": " + fault.what());
    }
}

void Block::start(std::uint32_t number) {
    running_ = nullptr;
    shared_.start();
    for (const auto& warp : warps_) {
        const auto first = static_cast<std::uint32_t>(warp->number() * warp_lanes);
        warp->start(std::min<std::uint32_t>(launch_.threads - first, warp_lanes));
        const auto set = [&](std::uint32_t slot, auto value_of) {
            auto* values = warp->lanes<std::uint32_t>(slot);
            for (std::uint32_t lane = 0; lane < warp_lanes; ++lane) values[lane] = value_of(lane);
        };
        set(special::tid_x, [&](std::uint32_t lane) { return first + lane; });
        set(special::laneid, [&](std::uint32_t lane) { return lane; });
        set(special::ntid_x, [&](std::uint32_t) { return launch_.threads; });
        set(special::ctaid_x, [&](std::uint32_t) { return number; });
        set(special::nctaid_x, [&](std::uint32_t) { return launch_.blocks; });
    }
}

/// Warps run one after the other, in the one order and then in the other: a kernel must not care.
void Block::run_warps() {
    for (bool backwards = false;; backwards = !backwards) {
        for (std::size_t i = 0; i < warps_.size(); ++i) {
            Warp& warp = *warps_[backwards ? warps_.size() - 1 - i : i];
            running_ = &warp;
            warp.run();
        }
        const bool all_ended = std::all_of(warps_.begin(), warps_.end(), [](const auto& warp) {
            return warp->ended() == all_lanes;
        });
        if (all_ended) return;
        running_ = nullptr;
        check_barrier();
        shared_.barrier();
        for (const auto& warp : warps_) warp->leave_barrier();
    }
}

void Block::check_barrier() const {
    const std::size_t position = warps_.front()->barrier_position();
    for (const auto& warp : warps_) {
        const auto threads = std::min<std::uint32_t>(
            launch_.threads - static_cast<std::uint32_t>(warp->number()) * warp_lanes, warp_lanes);
        if (__builtin_popcount(warp->at_barrier()) != static_cast<int>(threads))
            throw Fault("some threads have ended while others wait at a barrier");
        if (warp->barrier_position() != position)
            throw Fault("warps wait at different barriers: " + program_.texts.at(position) +
                        " and " + program_.texts.at(warp->barrier_position()));
    }
}

const std::byte* Block::parameter(std::uint64_t offset, std::size_t size) const {
    if (offset > launch_.parameters.size() || size > launch_.parameters.size() - offset)
        throw Fault("reads parameters that there are not");
    return launch_.parameters.data() + offset;
}

void Block::look_up(std::uint64_t address, std::size_t size, int lane) {
    const Allocation* found = device_memory().find(address);
    if (found == nullptr) throw Fault(bytes_at(address, size) + " are in no allocation", lane);
    if (!found->holds(address, size))
        throw Fault(bytes_at(address, size) + " reach over the end of an allocation of " +
                        std::to_string(found->bytes),
                    lane);
    recent_ = *found;
}

void Block::misaligned(std::uint64_t address, std::size_t size, int lane) {
    throw Fault(bytes_at(address, size) + " are misaligned", lane);
}

void run_grid(const Program& program, const Launch& launch) {
    std::atomic<std::uint32_t> next{0};
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            Block block(program, launch);
            for (std::uint32_t number = next++; number < launch.blocks; number = next++)
                block.run(number);
        } catch (...) {
            next = launch.blocks;
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
        }
    };
    const std::uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
    {
        std::vector<std::jthread> helpers;
        for (std::uint32_t i = 1; i < std::min(cores, launch.blocks); ++i)
            helpers.emplace_back(work);
        work();
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace galapagos::emulator
