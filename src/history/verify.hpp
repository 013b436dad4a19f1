// Checks a run directory, a history part, a root index or a checkpoint, and mends what can be
// mended.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace galapagos {

enum class Severity { note, warning, damage };

struct Finding {
    Severity severity = Severity::note;
    std::filesystem::path file;
    std::string text;
    bool repaired = false;
};

struct VerifyReport {
    std::vector<Finding> findings;
    int files = 0;
    uint64_t generations = 0;
    uint64_t candidates = 0;
    /// True when no damage is left.
    bool sound() const;
    std::string text() const;
    std::string json() const;
};

/// With `repair`, a part that was not closed is rewritten as a clean file that any HDF5 tool opens,
/// a damaged one as far as it is whole (the original stays beside it as *.damaged), and unfinished
/// temporary files are removed. Refuses to repair a run that is alive. Throws Error only if `path`
/// is none of these things.
VerifyReport verify(const std::filesystem::path& path, bool repair);

}  // namespace galapagos
