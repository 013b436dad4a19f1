// Where everything of a run lies. A pure naming scheme: touches no file, usable by every rank.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace galapagos {

struct PartName {
    uint32_t island = 0;
    int part = 0;  // 1 for the first job attempt
};

struct RunLayout {
    std::filesystem::path root;

    std::filesystem::path config() const { return root / "run.yaml"; }
    std::filesystem::path index() const { return root / "run.h5"; }
    std::filesystem::path islands() const { return root / "islands"; }
    std::filesystem::path checkpoints() const { return root / "checkpoint"; }
    std::filesystem::path best() const { return root / "best"; }
    std::filesystem::path best_recipe() const { return best() / "recipe.yaml"; }
    std::filesystem::path logs() const { return root / "log"; }
    std::filesystem::path heartbeats() const { return root / "heartbeat"; }
    std::filesystem::path lock() const { return root / "lock"; }
    std::filesystem::path stop() const { return root / "stop"; }
    std::filesystem::path log(uint32_t island) const;             // log/i0003.log
    std::filesystem::path part(uint32_t island, int part) const;  // islands/i0003.part001.h5

    /// True once somebody has created the file `stop`.
    bool stop_requested() const;
};

/// "i0003.part001.h5" -> {3, 1}; nothing for any other name.
std::optional<PartName> parse_part_name(const std::string& file_name);

}  // namespace galapagos
