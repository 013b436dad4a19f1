// Appends generations to one part file of one island, so that a kill at any instant loses none of
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "history/records.hpp"

namespace galapagos {

struct PartIdentity {
    std::string run_uuid;
    std::string config_hash;
    uint32_t island = 0;
    int part = 1;
    std::vector<std::pair<std::string, std::string>>
        attributes;  // more root attributes, e.g. optimiser, host
};

/// Serial HDF5 in single-writer-multiple-readers mode: all objects are made before the file appears
/// under its name, and a generation is committed by its row in /generation, written after
/// everything else of it is in the file. Not thread-safe; used by the island root alone.
class HistoryWriter {
  public:
    /// Throws Error if the file exists already or cannot be made.
    HistoryWriter(const std::filesystem::path& file, PartIdentity identity, HistorySchema schema);
    ~HistoryWriter();  // closes; a failed close is silent, call close() to hear of it
    HistoryWriter(HistoryWriter&&) noexcept;
    HistoryWriter& operator=(HistoryWriter&&) noexcept;

    /// Commits one generation: row counts must match the schema, generations must be consecutive in
    /// a part. Throws Error; when the space for the generation cannot be had (disk full, quota,
    /// file size limit) the file is left as it was, and the same append may be tried again later.
    void append(const GenerationRecord& generation, std::span<const CandidateRecord> candidates,
                std::span<const MigrationRecord> migrations);

    /// Writes one event at once, whatever becomes of the generation under way.
    void event(const std::string& code, const std::string& text);
    /// The same with all fields given, for a copy of another part.
    void event(const EventRecord& event);

    /// fdatasync: survives a power cut. Call before the checkpoint that refers to these generations
    /// is written.
    void sync();

    void close();
    const std::filesystem::path& file() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace galapagos
