// The objects inside a part file, made by the writer and opened by the reader in one place.
#pragma once

#include <string>
#include <vector>

#include "history/hdf5_table.hpp"
#include "history/part_format.hpp"
#include "history/records.hpp"

namespace galapagos {

/// Tables that would have no columns (no genes, no diagnostics, an answer matrix that isn't kept)
/// are absent from the file and empty here.
struct PartTables {
    H5Table generation, diagnostics;
    H5Table candidates, genomes, scores;
    std::vector<H5Table> answers;  // [tasks]
    H5Table migrations, migration_genomes;
    H5Table events;

    static PartTables create(hid_t file, const HistorySchema& schema);
    static PartTables open(hid_t file, const HistorySchema& schema);

    /// All but `generation` and `events`: what must be in the file before a generation's row is.
    std::vector<H5Table*> content();
};

void write_schema(hid_t file, const HistorySchema& schema);
HistorySchema read_schema(hid_t file);

/// Layout of a part's file: in pages, so that a kill can't tear what HDF5 needs to open it.
H5Handle part_creation();
/// File access of this format: 1.10 objects, which SWMR needs, and none of HDF5's file locks, which
/// some parallel file systems refuse; the run directory has its own lock.
H5Handle part_access();

}  // namespace galapagos
