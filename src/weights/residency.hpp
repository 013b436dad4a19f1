// Where a rank's parts of the sources lie while candidates are merged on a GPU.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace galapagos {

enum class Residency {
    device,        ///< the GPU's own memory
    pinned_host,   ///< host memory that the GPU reads over its bus
    mapped_files,  ///< from which every merge brings them through a window in the GPU's memory
};

/// What the libraries and their kernels, which are loaded when they are first used, may take of the
/// GPU's memory. An assumption.
inline constexpr std::size_t library_bytes = std::size_t{512} << 20;

/// The window of streamed sources where there is room for it: copying as much takes ten
/// milliseconds or more, beside which a batch's launches are nothing.
inline constexpr std::size_t usual_window = std::size_t{512} << 20;

/// Bytes that a rank needs beside each other.
struct ResidencyNeeds {
    std::size_t sources = 0;  ///< this rank's parts of all of them
    std::size_t candidate = 0;
    std::size_t decoder = 0;     ///< key-value cache and activations
    std::size_t statistics = 0;  ///< of the sources: scratch, and what is kept
    std::size_t tables = 0;      ///< of the launches that merge
    std::size_t libraries = library_bytes;
    // Of sources in mapped files:
    std::size_t kept = 0;    ///< of the statistics, which the CPU takes then
    std::size_t window = 0;  ///< the least that will do

    /// A candidate reads the sources a single time: to copy them for that is in vain.
    bool merged_once = false;

    /// What the device must have room for where it reads the sources in place.
    std::size_t beside_sources() const noexcept {
        return candidate + decoder + statistics + tables + libraries;
    }
    /// The least where they are streamed.
    std::size_t streaming() const noexcept {
        return candidate + decoder + kept + tables + libraries + window;
    }
};

/// Bytes that are free for this rank.
struct FreeMemory {
    std::size_t device = 0;
    std::size_t host = 0;  ///< what may be pinned
};

// Of ranks that merge together and must choose alike: the most that one needs of each part, and the
// least that one has.
ResidencyNeeds largest(std::span<const ResidencyNeeds> ranks);
FreeMemory least(std::span<const FreeMemory> ranks);

/// What each of a node's ranks may pin: three quarters of its share, for the system lives on what
/// is left.
inline std::size_t pinnable_bytes(std::size_t node_memory, int ranks) {
    return node_memory / static_cast<std::size_t>(ranks) / 4 * 3;
}

struct ResidencyChoice {
    Residency residency = Residency::device;
    /// The next candidate is merged, in room of its own, while one is evaluated. Only where that
    /// takes long and the GPU does it alone: with sources in pinned memory.
    bool overlaps = false;
    std::size_t window = 0;  ///< bytes that sources in mapped files are streamed through
    std::string why;
};

/// The nearest place for all sources, and whether a second candidate has room where one pays.
/// Throws Error where the candidate doesn't fit on the device even with sources in their files.
ResidencyChoice choose_residency(const ResidencyNeeds& needs, const FreeMemory& free);

}  // namespace galapagos
