#include "app/together.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <thread>

#include "base/error.hpp"

namespace galapagos {

std::pair<int, std::string> describe_current_exception() {
    try {
        throw;
    } catch (const CollectiveError& error) {
        return {error.status(), error.what()};
    } catch (const UsageError& error) {
        return {2, error.what()};
    } catch (const MachineError& error) {
        return {status_resume_me, error.what()};
    } catch (const std::bad_alloc&) {
        return {1,
                "out of memory (an allocation failed) use fewer ranks a node, or a wider "
                "evaluation.tensor_parallel."};
    } catch (const std::exception& error) {
        return {1, error.what()};
    } catch (...) {
        return {1, "an unknown error"};
    }
}

namespace {

/// "!status:message", or with > for what follows from another rank's failure; nothing if the step
/// succeeded.
std::string run_step(const std::function<void()>& step) {
    try {
        step();
        return {};
    } catch (const PeerError& error) {
        return fmt::format(">{}:{}", status_resume_me, error.what());
    } catch (...) {
        const auto [status, message] = describe_current_exception();
        return fmt::format("!{}:{}", status, message);
    }
}

/// Of all ranks' reports the first cause, or else the first of what follows from one.
void throw_first(const std::vector<std::string>& reports) {
    for (const char kind : {'!', '>'})
        for (const auto& report : reports)
            if (report.starts_with(kind))
                throw CollectiveError(report.substr(report.find(':') + 1),
                                      std::stoi(report.substr(1)));
}

}  // namespace

void together(const Communicator& world, const std::function<void()>& step) {
    throw_first(world.all_gather(run_step(step)));
}

void together_once_a_node(const Communicator& world, const std::function<void()>& step) {
    const auto node = world.split_by_node();
    std::string report;
    if (node.is_root()) report = run_step(step);
    throw_first(world.all_gather(report));
    if (!node.is_root()) report = run_step(step);
    throw_first(world.all_gather(report));
}

void alike(const std::function<void()>& step) {
    try {
        step();
    } catch (...) {
        const auto [status, message] = describe_current_exception();
        throw CollectiveError(message, status);
    }
}

void apart(const Communicator& world, const std::function<void()>& step) {
    try {
        step();
    } catch (const CollectiveError&) {
        throw;
    } catch (...) {
        if (world.size() == 1) throw;
        end_job_of(world);
    }
}

void end_job_of(const Communicator& world) {
    // What hits many ranks (a full disk) is said by the first: the others are ended before. So are
    // those that only heard of it.
    int wait_ms = std::min(world.rank(), 20) * 100;
    try {
        throw;
    } catch (const PeerError&) {
        wait_ms += 5000;
    } catch (...) {
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
    world.abort(report_current_exception());
}

void print_warning(const std::string& text) {
    fmt::print(stderr, "galapagos: warning: {}\n", text);
}

int report_current_exception() {
    const auto [status, message] = describe_current_exception();
    fmt::print(stderr, "galapagos: {}\n", message);
    std::fflush(stderr);
    return status;
}

}  // namespace galapagos
