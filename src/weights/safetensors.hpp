// Reading one safetensors file by memory mapping.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/files.hpp"
#include "weights/safetensors_header.hpp"

namespace galapagos {

/// A mapped safetensors file. Its views stay valid as long as it lives; moving it keeps them valid.
class SafetensorsFile {
  public:
    /// Maps `path` and checks the whole header; throws Error naming file and field if anything is
    /// wrong.
    explicit SafetensorsFile(const std::filesystem::path& path);

    const std::filesystem::path& path() const noexcept { return path_; }
    /// All tensors in the order of their position in the file.
    const std::vector<TensorEntry>& entries() const noexcept { return header_.entries; }
    /// The `__metadata__` strings; empty if there are none.
    const std::map<std::string, std::string>& metadata() const noexcept { return header_.metadata; }

    bool has(std::string_view name) const;
    /// The mapped bytes of a tensor, at whatever alignment the file gives them. Throws Error if it
    /// is not there.
    TensorView tensor(std::string_view name) const;
    TensorView tensor(const TensorEntry& entry) const;

  private:
    std::filesystem::path path_;
    MappedFile file_;
    SafetensorsHeader header_;
    std::uint64_t data_begin_ = 0;
    std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace galapagos
