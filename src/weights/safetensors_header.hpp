// The JSON header of a safetensors file, read with suspicion: the file may come from anywhere.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/dtype.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

/// Where one tensor lies: [begin, end) in bytes, counted from the end of the header.
struct TensorEntry {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct SafetensorsHeader {
    std::vector<TensorEntry> entries;  ///< in order of `begin`
    std::map<std::string, std::string> metadata;
};

/// Largest header that is read, in bytes; the reference implementation has the same limit.
inline constexpr std::uint64_t max_safetensors_header_bytes = 100'000'000;

/// Parses and checks a header. Everything that the reference implementation refuses is refused, and
/// also duplicate keys, control characters in names, numbers that are not plain integers, and
/// unknown keys. The tensors must tile the data of `data_bytes` bytes exactly. `origin` (a path)
/// starts every message. Throws Error that names the tensor and field.
SafetensorsHeader parse_safetensors_header(std::string_view header, std::uint64_t data_bytes,
                                           const std::string& origin);

/// The header text for tensors laid out in the order given, padded with spaces to a multiple of 8
/// bytes.
std::string write_safetensors_header(const std::vector<TensorEntry>& entries,
                                     const std::map<std::string, std::string>& metadata);

}  // namespace galapagos
