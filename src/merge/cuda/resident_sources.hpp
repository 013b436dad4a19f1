// The sources in the GPU's memory.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "merge/cuda/resident_tensors.hpp"
#include "weights/sharding.hpp"
#include "weights/source.hpp"

namespace galapagos::cuda {

/// Tensors that sources hold in another file than their folder's, by source. One of a folder that
/// several sources read, as a model with and without an adapter, is held once.
using OwnTensors = std::vector<std::set<std::string>>;
OwnTensors own_tensors(const std::vector<std::shared_ptr<const Source>>& sources);

/// The same for tensors of sources that are one in memory.
using StoredKey = std::tuple<std::string, std::size_t, std::string>;
StoredKey stored_key(const std::vector<std::shared_ptr<const Source>>& sources,
                     const OwnTensors& own, std::size_t source, const std::string& name);

/// Bytes of this rank's parts of all tensors of the sources that can be merged, as they will lie.
std::size_t resident_bytes(const std::vector<std::shared_ptr<const Source>>& sources,
                           const OwnTensors& own, const Sharding& sharding);

/// Brings bytes of the host to the device; `from` may be changed once it has returned.
using CopyIn = std::function<void(const void* from, std::size_t bytes, std::byte* to)>;

/// Copies these parts to `memory`, the device's, and lists them in the table. A single rank's are
/// whole tensors. Reads every source once.
void make_resident(const std::vector<std::shared_ptr<const Source>>& sources,
                   const Sharding& sharding, const CopyIn& copy_in, std::byte* memory,
                   ResidentTensors& table);

}  // namespace galapagos::cuda
