// Rescue of history parts that were not closed or are damaged.
#pragma once

#include "history/history_reader.hpp"

namespace galapagos {

/// What is whole in a damaged part. A truncated file is read through a copy that is filled up with
/// zeros, which the checksums tell from content. Throws Error when nothing can be read.
HistoryPart rescue_part(const std::filesystem::path& file);

/// Writes `part` (read with its answers) in place of part.file, closed, so that any HDF5 tool opens
/// it.
void rewrite_part(const HistoryPart& part);

}  // namespace galapagos
