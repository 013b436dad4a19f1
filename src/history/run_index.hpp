// run.h5: what the run is and where its parts lie; small, replaced atomically at the start of every
// attempt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "history/records.hpp"

namespace galapagos {

constexpr const char* history_format_version = "1.0.0";

struct IndexGene {
    std::string name;
    std::string type;  // real, integer, categorical, binary
    double lower = 0.0;
    double upper = 0.0;
    double initial = 0.0;
    std::vector<std::string> choices;
};

struct IndexSource {
    std::string name;
    std::string model;  // folder, or "base+adapter"
    std::string sha256;
};

/// Something else that scores depend on: a task, the tokenizer.
struct IndexInput {
    std::string name;
    std::string sha256;
};

/// One job attempt: versions of everything, hosts, Slurm ids, argv, seeds, as named text.
struct IndexAttempt {
    int number = 1;
    std::string started;  // UTC
    std::vector<std::pair<std::string, std::string>> provenance;
};

struct RunIndex {
    std::string uuid;
    std::string created;  // UTC
    std::string config_yaml;
    std::string config_hash;
    uint32_t islands = 1;
    /// Per island: 0, or what the others had finished when it joined the run. Missing ones are 0.
    std::vector<uint64_t> first_generations;
    std::vector<IndexGene> genes;
    std::vector<TaskColumns> tasks;
    std::vector<IndexSource> sources;
    std::vector<IndexInput> inputs;      // none in runs of builds that did not note them
    std::vector<IndexAttempt> attempts;  // oldest first
};

/// A new random (version 4) UUID.
std::string make_uuid();

/// Writes `file` (temporary file, fsync, rename) with external links /islands/0003/part001 to every
/// part of every attempt. The root attributes repeat the newest attempt's provenance.
void write_run_index(const std::filesystem::path& file, const RunIndex& index);

/// Throws Error if the file is missing, damaged or of another format version.
RunIndex read_run_index(const std::filesystem::path& file);

/// Provenance known to this layer: format, HDF5 version, compiler, hosts, argv, Slurm ids found in
/// the environment.
std::vector<std::pair<std::string, std::string>> basic_provenance(
    const std::vector<std::string>& argv);

}  // namespace galapagos
