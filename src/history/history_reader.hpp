// Reads histories of live, finished and killed runs: only what was committed, parts of an island
// joined.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "history/records.hpp"

namespace galapagos {

struct ReadOptions {
    bool answers = false;          // also the answer matrices
    bool tolerate_damage = false;  // keep what precedes a damaged generation instead of throwing
};

/// One part file, as far as it is committed.
struct HistoryPart {
    std::filesystem::path file;
    uint32_t island = 0;
    int part = 0;
    std::string run_uuid;
    std::string config_hash;
    std::vector<std::pair<std::string, std::string>> attributes;
    HistorySchema schema;
    std::vector<GenerationRecord> generations;
    std::vector<CandidateRecord> candidates;  // ordered by generation
    std::vector<MigrationRecord> migrations;  // ordered by generation
    std::vector<EventRecord> events;
    std::vector<std::string> warnings;  // an unfinished generation at the end, say
    bool clean = true;                  // closed by its writer (not live, not killed)
};

/// The root attribute of a part whose island joined the run later.
inline constexpr const char* first_generation_key = "first_generation";

/// Throws Error naming file and place: not HDF5, other format version, truncated, a generation
/// whose checksum is wrong.
HistoryPart read_part(const std::filesystem::path& file, const ReadOptions& options = {});

/// An island as if no attempt had ever been interrupted: the first generation of a later part
/// replaces that generation and all after it in earlier parts.
struct IslandHistory {
    uint32_t island = 0;
    uint64_t first_generation = 0;  // more than 0 for an island that joined the run later
    HistorySchema schema;
    std::vector<GenerationRecord> generations;
    std::vector<CandidateRecord> candidates;
    std::vector<MigrationRecord> migrations;
    std::vector<EventRecord> events;  // of all parts
    int parts = 0;
    std::vector<std::string> warnings;
};
IslandHistory join_parts(std::vector<HistoryPart> parts);

struct RunHistory {
    std::filesystem::path root;
    std::vector<IslandHistory> islands;
};
/// `root` is a run directory. Throws Error if it holds no history.
RunHistory read_run(const std::filesystem::path& root, const ReadOptions& options = {});

/// SHA-256 over everything a deterministic run must repeat: not times, evaluators, or events.
std::string fingerprint(const IslandHistory& island);

}  // namespace galapagos
