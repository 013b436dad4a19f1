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
    number_ = number;
    phase_ = 0;
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
        for (std::size_t turn = 0; turn < warps_.size(); ++turn) {
            const std::size_t i = backwards ? warps_.size() - 1 - turn : turn;
            Warp& warp = *warps_[i];
            running_ = &warp;
            toucher_ = Toucher::of(launch_.number, number_, static_cast<std::uint64_t>(i), phase_);
            warp.run();
        }
        const bool all_ended = std::all_of(warps_.begin(), warps_.end(), [](const auto& warp) {
            return warp->ended() == all_lanes;
        });
        if (all_ended) return;
        running_ = nullptr;
        check_barrier();
        shared_.barrier();
        ++phase_;
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

void Block::note(std::uint64_t address, std::size_t size, int lane, Access access) {
    const std::uint64_t offset = address - recent_.address;
    Touched* const first = recent_.touched + offset / 2;
    const unsigned mask = size > 1 ? 3 : 1u << offset % 2;
    for (std::size_t i = 0; i < (size + 1) / 2; ++i)
        if (const char* race = touch(first[i], toucher_, mask, access))
            throw Fault(std::string(access == Access::read ? "reads" : "writes") + " bytes at " +
                            hexadecimal(address) + " that " + race + ", with no order between them",
                        lane);
}

void Block::misaligned(std::uint64_t address, std::size_t size, int lane) {
    throw Fault(bytes_at(address, size) + " are misaligned", lane);
}

void run_grid(const Program& program, const Launch& wanted) {
    static std::atomic<std::uint64_t> launches{0};
    Launch launch = wanted;
    launch.number = ++launches;
    std::atomic<std::uint32_t> next{0};
    // A kernel must not care for the order of its blocks.
    const bool backwards = launch.number % 2 == 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            Block block(program, launch);
            for (std::uint32_t turn = next++; turn < launch.blocks; turn = next++)
                block.run(backwards ? launch.blocks - 1 - turn : turn);
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
