// Node-local copies of model folders: a shared file system is read once a node, not by every rank
// and not again by the next attempt.
#pragma once

#include <filesystem>
#include <optional>

#include "weights/digest_memo.hpp"
#include "weights/model_folder.hpp"

namespace galapagos {

/// Copies of models in one folder of node-local storage. A copy is known by the original's path and
/// by the names, sizes and times of its files, so that a changed original is copied anew. It counts
/// only while every file has the SHA-256 that was computed as it was copied. Nothing is ever
/// removed: the copies are there for the next run on the node.
class Staging {
  public:
    /// `memo` remembers digests of copies that were checked before.
    Staging(const std::filesystem::path& storage, DigestMemo memo);

    /// The folder of a whole copy, if there is one.
    std::optional<std::filesystem::path> find(const ModelFolder& model) const;

    /// Makes the copy; for one process of a node. A copy that is damaged is made anew. Throws
    /// Error when the storage is full or can't be written; what was there is then untouched.
    std::filesystem::path copy(const ModelFolder& model) const;

  private:
    std::filesystem::path home_of(const ModelFolder& model) const;

    std::filesystem::path storage_;
    DigestMemo memo_;
};

}  // namespace galapagos
