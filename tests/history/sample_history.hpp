// A made-up search whose every number follows from (island, generation): what a test reads back can
// be recomputed, whoever wrote it and however it ended.
#pragma once

#include <filesystem>

#include "history/history_reader.hpp"
#include "history/history_writer.hpp"
#include "history/run_index.hpp"

namespace galapagos::sample {

constexpr size_t population = 6;

HistorySchema schema();
PartIdentity identity(uint32_t island, int part);

GenerationRecord generation(uint32_t island, uint64_t number);
std::vector<CandidateRecord> candidates(uint32_t island, uint64_t number);
std::vector<MigrationRecord> migrations(uint32_t island, uint64_t number);

void append(HistoryWriter& writer, uint32_t island, uint64_t number);

/// Compares with what was written; an empty text means equal.
std::string difference(const IslandHistory& island, uint64_t generations);

RunIndex index(uint32_t islands, int attempts);

/// A folder that a test may fill, removed at its end.
class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

}  // namespace galapagos::sample
