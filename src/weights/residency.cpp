#include "weights/residency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"

namespace galapagos {

namespace {

std::string gib(std::size_t bytes) {
    return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / 0x1p30);
}

std::string parts_of(const ResidencyNeeds& needs, std::size_t statistics) {
    return fmt::format("candidate {}, decoder {}, statistics {}, tables {}, libraries {}",
                       gib(needs.candidate), gib(needs.decoder), gib(statistics), gib(needs.tables),
                       gib(needs.libraries));
}

ResidencyChoice on_device(const ResidencyNeeds& needs, std::size_t left) {
    return {Residency::device, false, 0,
            fmt::format("The sources ({}) lie in the GPU's memory, which has room for {} beside "
                        "{}.",
                        gib(needs.sources), gib(left), parts_of(needs, needs.statistics))};
}

ResidencyChoice pinned(const ResidencyNeeds& needs, std::size_t left,
                       const std::string& too_large) {
    const std::string where =
        fmt::format("The sources ({}) lie in pinned memory of the host, since {}.",
                    gib(needs.sources), too_large);
    if (needs.merged_once) return {Residency::pinned_host, false, 0, where};
    const bool overlaps = needs.candidate <= left;
    return {Residency::pinned_host, overlaps, 0,
            where + (overlaps ? " A second candidate fits too: the next one is merged while one is "
                                "evaluated."
                              : " A second candidate doesn't fit: merges don't overlap "
                                "evaluations.")};
}

ResidencyChoice streamed(const ResidencyNeeds& needs, const FreeMemory& free,
                         const std::string& too_large) {
    const std::string host =
        needs.merged_once ? ", and they are read once"
        : needs.sources <= free.host
            ? ""
            : fmt::format(", and the host has {} that may be pinned", gib(free.host));
    const std::size_t room = needs.window + (free.device - needs.streaming());
    const std::size_t wanted = std::min(usual_window, needs.sources);
    const std::size_t window = std::max(needs.window, std::min(wanted, room));
    return {Residency::mapped_files, false, window,
            fmt::format("The sources ({}) stay in their files, since {}{}. {} merge reads all of "
                        "them, from the disk what the node's memory can't cache, and streams them "
                        "through a window of {} in the GPU's memory.",
                        gib(needs.sources), too_large, host, needs.merged_once ? "The" : "Every",
                        gib(window))};
}

/// Says what the way that takes the least would need.
[[noreturn]] void refuse(const ResidencyNeeds& needs, const FreeMemory& free) {
    const bool in_place = needs.sources <= free.host && needs.beside_sources() <= needs.streaming();
    const std::string parts =
        in_place ? parts_of(needs, needs.statistics)
                 : fmt::format("{}, a window of {} for sources that stay in their files",
                               parts_of(needs, needs.kept), gib(needs.window));
    throw Error("a candidate doesn't fit in the GPU's memory",
                fmt::format("{} of {} are more than the {} that are free",
                            gib(in_place ? needs.beside_sources() : needs.streaming()), parts,
                            gib(free.device)),
                "use more tensor-parallel ranks, a smaller max_batch, or shorter rows");
}

}  // namespace

ResidencyNeeds largest(std::span<const ResidencyNeeds> ranks) {
    ResidencyNeeds most = ranks.front();
    for (const ResidencyNeeds& needs : ranks) {
        most.sources = std::max(most.sources, needs.sources);
        most.candidate = std::max(most.candidate, needs.candidate);
        most.decoder = std::max(most.decoder, needs.decoder);
        most.statistics = std::max(most.statistics, needs.statistics);
        most.tables = std::max(most.tables, needs.tables);
        most.libraries = std::max(most.libraries, needs.libraries);
        most.kept = std::max(most.kept, needs.kept);
        most.window = std::max(most.window, needs.window);
        most.merged_once = most.merged_once && needs.merged_once;
    }
    return most;
}

FreeMemory least(std::span<const FreeMemory> ranks) {
    FreeMemory least = ranks.front();
    for (const FreeMemory& free : ranks) {
        least.device = std::min(least.device, free.device);
        least.host = std::min(least.host, free.host);
    }
    return least;
}

ResidencyChoice choose_residency(const ResidencyNeeds& needs, const FreeMemory& free) {
    const std::size_t beside = needs.beside_sources();
    const std::string parts = parts_of(needs, needs.statistics);
    std::string too_large = fmt::format("the GPU's memory has no room for {}", parts);
    std::optional<ResidencyChoice> in_place;
    if (beside <= free.device) {
        const std::size_t left = free.device - beside;
        if (needs.sources <= left) return on_device(needs, left);
        too_large = fmt::format("the GPU's memory has room for {} beside {}", gib(left), parts);
        if (needs.sources <= free.host) in_place = pinned(needs, left, too_large);
    }
    const bool streams = needs.streaming() <= free.device;
    if (in_place && !(needs.merged_once && streams)) return *in_place;
    if (streams) return streamed(needs, free, too_large);
    refuse(needs, free);
}

}  // namespace galapagos
