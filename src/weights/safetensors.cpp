#include "weights/safetensors.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {
namespace {

/// The header's length: eight bytes, least significant first.
std::uint64_t read_header_length(std::span<const std::byte> bytes) {
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) {
        length = length << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
    }
    return length;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
    const std::string origin = path.string();
    const std::uint64_t size = file_.bytes().size();
    const auto refuse = [&](const std::string& why) {
        throw Error(origin + ": not a sound safetensors file", why,
                    "the file may be damaged or cut short; get it again");
    };
    if (file_.text().starts_with("version https://git-lfs"))
        throw Error(origin + ": not the weights",
                    "it is the pointer that Git LFS puts in their place",
                    "run `git lfs pull` in its folder");
    if (size < 8) refuse(fmt::format("{} bytes are too few for a header", size));
    const std::uint64_t length = read_header_length(file_.bytes());
    if (length > max_safetensors_header_bytes) {
        refuse(fmt::format("the header claims {} bytes, more than the {} allowed", length,
                           max_safetensors_header_bytes));
    }
    if (length > size - 8) {
        refuse(fmt::format("the header claims {} bytes, but the file has {}", length, size));
    }
    data_begin_ = 8 + length;
    header_ = parse_safetensors_header(file_.text().substr(8, length), size - data_begin_, origin);
    index_.reserve(header_.entries.size());
    for (std::size_t i = 0; i < header_.entries.size(); ++i)
        index_.emplace(header_.entries[i].name, i);
}

bool SafetensorsFile::has(std::string_view name) const {
    return index_.contains(std::string(name));
}

TensorView SafetensorsFile::tensor(std::string_view name) const {
    const auto found = index_.find(std::string(name));
    if (found == index_.end()) {
        std::vector<std::string> names;
        for (const auto& entry : header_.entries) names.push_back(entry.name);
        throw Error(fmt::format("{}: no tensor '{}'", path_.string(), name), {},
                    name_hint(name, names));
    }
    return tensor(header_.entries[found->second]);
}

TensorView SafetensorsFile::tensor(const TensorEntry& entry) const {
    return {file_.bytes().data() + data_begin_ + entry.begin, entry.dtype, entry.shape};
}

}  // namespace galapagos
