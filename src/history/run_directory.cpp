#include "history/run_directory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"
#include "base/files.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

void make_folders(const RunLayout& layout) {
    for (const fs::path& folder :
         {layout.root, layout.islands(), layout.checkpoints(), layout.best(), layout.logs()}) {
        std::error_code error;
        fs::create_directories(folder, error);
        if (error || !fs::is_directory(folder))
            throw Error(fmt::format("{}: can't create the run directory", folder.string()),
                        error ? error.message() : "a file is in the way",
                        "Choose a --run-dir that you may write to.");
    }
}

std::vector<PartName> all_parts(const RunLayout& layout) {
    std::vector<PartName> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(layout.islands(), error))
        if (const auto name = parse_part_name(entry.path().filename())) names.push_back(*name);
    return names;
}

void check_config(const RunLayout& layout, const RunConfig& config) {
    const RunConfig before{read_text(layout.config()), config.may_change};
    auto lines = config_differences(before, config);
    if (lines.empty()) return;
    constexpr size_t shown = 5;
    const size_t total = lines.size();
    if (total > shown) {
        lines.resize(shown);
        lines.push_back(fmt::format("and {} more", total - shown));
    }
    throw UsageError(fmt::format("{}: holds a run of another configuration", layout.root.string()),
                     fmt::format("{}", fmt::join(lines, "; ")),
                     "Use the old values, or choose another --run-dir.");
}

/// Temporary files of a killed attempt. Safe only under the lock.
void remove_temporary_files(const RunLayout& layout) {
    for (const fs::path& file : temporary_files(layout)) {
        std::error_code ignored;
        fs::remove(file, ignored);
    }
}

}  // namespace

RunDirectory RunDirectory::open(const fs::path& root, const RunConfig& config, Resume resume) {
    const RunLayout layout{root};
    const std::vector<PartName> before = all_parts(layout);
    if (resume == Resume::must && !fs::exists(layout.config()))
        throw UsageError(fmt::format("{}: nothing to resume", root.string()), "no run.yaml in it",
                         "Check --run-dir, or start a new run with --resume auto.");
    make_folders(layout);

    RunDirectory directory(layout, RunLock(layout.lock()));
    directory.warnings_ = directory.lock_.warnings();
    directory.resumed_ = fs::exists(layout.config());
    if (directory.resumed_ && resume == Resume::never)
        throw UsageError(fmt::format("{}: holds a run already", root.string()),
                         "--resume never was given",
                         "Choose another --run-dir, or resume with --resume auto.");
    if (!directory.resumed_ && !before.empty())
        throw Error(fmt::format("{}: refused", root.string()),
                    "it has island histories but no run.yaml",
                    "Restore run.yaml, or choose another --run-dir.");
    if (directory.resumed_) check_config(layout, config);

    remove_temporary_files(layout);
    // Written again on resume, too: keys that may change (a longer budget) have their new values.
    write_atomically(layout.config(), config.yaml);
    for (const PartName& name : all_parts(layout))
        directory.attempt_ = std::max(directory.attempt_, name.part + 1);
    return directory;
}

void RunDirectory::clear_stop_request() const {
    std::error_code ignored;
    fs::remove(layout_.stop(), ignored);
}

std::vector<fs::path> temporary_files(const RunLayout& layout) {
    std::vector<fs::path> files;
    for (const fs::path& folder :
         {layout.root, layout.islands(), layout.checkpoints(), layout.best()}) {
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(folder, error))
            if (entry.path().filename().string().find(".tmp.") != std::string::npos)
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<uint32_t> islands_in(const RunLayout& layout) {
    std::vector<uint32_t> islands;
    for (const PartName& name : all_parts(layout)) islands.push_back(name.island);
    std::sort(islands.begin(), islands.end());
    islands.erase(std::unique(islands.begin(), islands.end()), islands.end());
    return islands;
}

std::vector<int> parts_of(const RunLayout& layout, uint32_t island) {
    std::vector<int> parts;
    for (const PartName& name : all_parts(layout))
        if (name.island == island) parts.push_back(name.part);
    std::sort(parts.begin(), parts.end());
    return parts;
}

}  // namespace galapagos
