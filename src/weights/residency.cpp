#include "weights/residency.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace galapagos {

namespace {

std::string gib(std::size_t bytes) {
    return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / 0x1p30);
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
    const std::string beside_text = fmt::format(
        "candidate {}, decoder {}, statistics {}, tables {}, libraries {}", gib(needs.candidate),
        gib(needs.decoder), gib(needs.statistics), gib(needs.tables), gib(needs.libraries));
    if (beside > free.device)
        throw Error("a candidate doesn't fit in the GPU's memory",
                    fmt::format("{} of {} are more than the {} that are free", gib(beside),
                                beside_text, gib(free.device)),
                    "use more tensor-parallel ranks, a smaller max_batch, or shorter rows");
    const std::size_t left = free.device - beside;
    if (needs.sources <= left)
        return {Residency::device, false,
                fmt::format("The sources ({}) lie in the GPU's memory, which has room for {} "
                            "beside {}.",
                            gib(needs.sources), gib(left), beside_text)};
    const std::string too_large =
        fmt::format("the GPU's memory has room for {} beside {}", gib(left), beside_text);
    if (needs.sources <= free.host) {
        const bool overlaps = needs.candidate <= left;
        return {Residency::pinned_host, overlaps,
                fmt::format("The sources ({}) lie in pinned memory of the host, since {}. {}",
                            gib(needs.sources), too_large,
                            overlaps ? "A second candidate fits too: the next one is merged while "
                                       "one is evaluated."
                                     : "A second candidate doesn't fit: merges don't overlap "
                                       "evaluations.")};
    }
    return {Residency::mapped_files, false,
            fmt::format("The sources ({}) stay in their files, since {}, and the host has {} that "
                        "may be pinned.",
                        gib(needs.sources), too_large, gib(free.host))};
}

ResidencyChoice choose_gpu_residency(const ResidencyNeeds& needs, const FreeMemory& free) {
    const ResidencyChoice choice = choose_residency(needs, free);
    if (choice.residency == Residency::mapped_files)
        throw Error("the sources fit into no memory that the GPU reads", choice.why,
                    "use more tensor-parallel ranks, each of which holds a part, a smaller "
                    "max_batch, nodes with more memory, or the CPU");
    return choice;
}

}  // namespace galapagos
