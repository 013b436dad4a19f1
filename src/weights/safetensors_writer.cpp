#include "weights/safetensors_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/nearest.hpp"
#include "weights/safetensors_header.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

struct Shard {
    std::vector<TensorEntry> entries;
    std::uint64_t data_begin = 0;
    int descriptor = -1;
    fs::path temporary;
    fs::path final_path;
};

void write_at(int descriptor, const void* data, std::size_t size, std::uint64_t offset,
              const fs::path& path) {
    const auto* position = static_cast<const char*>(data);
    while (size != 0) {
        const ssize_t written = ::pwrite(descriptor, position, size, static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw Error(path.string() + ": can't write", std::strerror(errno));
        position += written;
        size -= static_cast<std::size_t>(written);
        offset += static_cast<std::uint64_t>(written);
    }
}

void check_names_differ(const std::vector<TensorSpec>& tensors) {
    std::unordered_map<std::string_view, int> seen;
    for (const auto& tensor : tensors) {
        if (++seen[tensor.name] > 1) {
            throw Error("can't write weights",
                        fmt::format("two tensors are called '{}'", tensor.name));
        }
    }
}

/// Fills shards in the order of declaration; a shard takes tensors until the next would exceed the
/// limit.
std::vector<Shard> deal_out(std::vector<TensorSpec> tensors, std::uint64_t max_shard_bytes) {
    std::vector<Shard> shards(1);
    std::uint64_t filled = 0;
    for (auto& tensor : tensors) {
        const std::uint64_t bytes = tensor.bytes();
        if (!shards.back().entries.empty() && filled + bytes > max_shard_bytes) {
            shards.emplace_back();
            filled = 0;
        }
        filled += bytes;
        shards.back().entries.push_back(
            {std::move(tensor.name), tensor.dtype, std::move(tensor.shape), 0, 0});
    }
    return shards;
}

/// Wide types first, so that every tensor is aligned to its element size.
void place(Shard& shard) {
    std::stable_sort(shard.entries.begin(), shard.entries.end(), [](const auto& a, const auto& b) {
        return size_of(a.dtype) > size_of(b.dtype);
    });
    std::uint64_t position = 0;
    for (auto& entry : shard.entries) {
        entry.begin = position;
        position += static_cast<std::uint64_t>(element_count(entry.shape)) * size_of(entry.dtype);
        entry.end = position;
    }
}

void create(Shard& shard, const std::map<std::string, std::string>& metadata) {
    shard.descriptor =
        ::open(shard.temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (shard.descriptor < 0) {
        throw Error(shard.temporary.string() + ": can't create", std::strerror(errno));
    }
    const std::string header = write_safetensors_header(shard.entries, metadata);
    if (header.size() > max_safetensors_header_bytes) {
        throw Error(shard.final_path.string() + ": can't write",
                    fmt::format("a header of {} bytes is more than readers accept", header.size()));
    }
    std::array<unsigned char, 8> length{};
    for (std::size_t i = 0; i < 8; ++i)
        length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
    write_at(shard.descriptor, length.data(), 8, 0, shard.temporary);
    write_at(shard.descriptor, header.data(), header.size(), 8, shard.temporary);
    shard.data_begin = 8 + header.size();
    const auto bytes = shard.data_begin + (shard.entries.empty() ? 0 : shard.entries.back().end);
    // Reserving the space now turns a full disk into an error before any work is done.
    const int status =
        ::fallocate(shard.descriptor, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
    if (status == ENOSPC || status == EFBIG || status == EDQUOT) {
        throw Error(shard.temporary.string() + ": can't write", std::strerror(status),
                    fmt::format("{} bytes are needed", bytes));
    }
}

void sync_folder(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
}

fs::path temporary_name(const fs::path& path) {
    static std::atomic<unsigned> counter{0};
    return path.parent_path() /
           fmt::format(".{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter++);
}

}  // namespace

struct SafetensorsWriter::State {
    struct Place {
        std::size_t shard;
        std::size_t entry;
        bool written;
    };

    fs::path folder;
    SafetensorsWriterOptions options;
    std::vector<Shard> shards;
    std::unordered_map<std::string, Place> places;
    std::mutex mutex;
    std::vector<fs::path> files;

    ~State() {
        for (auto& shard : shards) {
            if (shard.descriptor >= 0) ::close(shard.descriptor);
            if (!shard.temporary.empty()) ::unlink(shard.temporary.c_str());
        }
    }

    fs::path single_path() const { return folder / (options.stem + ".safetensors"); }
    fs::path index_path() const { return folder / (options.stem + ".safetensors.index.json"); }

    void refuse_existing() const {
        for (const auto& path : {single_path(), index_path()}) {
            if (!options.replace && fs::exists(path)) {
                throw Error(path.string() + ": won't write weights here", "the file exists already",
                            "name a new folder or remove the old weights");
            }
        }
    }

    void name_shards() {
        for (std::size_t i = 0; i < shards.size(); ++i) {
            shards[i].final_path = shards.size() == 1
                                       ? single_path()
                                       : folder / fmt::format("{}-{:05}-of-{:05}.safetensors",
                                                              options.stem, i + 1, shards.size());
        }
    }

    void open_shards() {
        for (std::size_t s = 0; s < shards.size(); ++s) {
            place(shards[s]);
            for (std::size_t e = 0; e < shards[s].entries.size(); ++e) {
                places.emplace(shards[s].entries[e].name, Place{s, e, false});
            }
            shards[s].temporary = temporary_name(shards[s].final_path);
            create(shards[s], options.metadata);
        }
    }

    void refuse_missing() const {
        for (const auto& shard : shards) {
            for (const auto& entry : shard.entries) {
                if (!places.at(entry.name).written) {
                    throw Error("can't finish the weights in " + folder.string(),
                                fmt::format("tensor '{}' was never written", entry.name));
                }
            }
        }
    }

    void publish(Shard& shard) {
        if (options.sync && ::fsync(shard.descriptor) != 0) {
            throw Error(shard.temporary.string() + ": can't sync", std::strerror(errno));
        }
        if (::close(std::exchange(shard.descriptor, -1)) != 0) {
            throw Error(shard.temporary.string() + ": can't close", std::strerror(errno));
        }
        fs::rename(shard.temporary, shard.final_path);
        shard.temporary.clear();
        files.push_back(shard.final_path);
    }

    void write_index() {
        nlohmann::json index;
        std::uint64_t total = 0;
        for (const auto& shard : shards) {
            for (const auto& entry : shard.entries) {
                index["weight_map"][entry.name] = shard.final_path.filename().string();
                total += entry.end - entry.begin;
            }
        }
        index["metadata"]["total_size"] = total;
        write_atomically(index_path(), index.dump(2) + "\n");
        files.push_back(index_path());
    }
};

SafetensorsWriter::SafetensorsWriter(const fs::path& folder, std::vector<TensorSpec> tensors,
                                     SafetensorsWriterOptions options)
    : state_(std::make_unique<State>()) {
    check_names_differ(tensors);
    state_->folder = folder;
    state_->options = std::move(options);
    state_->refuse_existing();
    state_->shards = deal_out(std::move(tensors), state_->options.max_shard_bytes);
    state_->name_shards();
    state_->open_shards();
}

SafetensorsWriter::~SafetensorsWriter() = default;

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> data) {
    const auto found = state_->places.find(std::string(name));
    if (found == state_->places.end()) {
        throw Error(fmt::format("can't write tensor '{}'", name), "it was not declared");
    }
    auto& place = found->second;
    auto& shard = state_->shards[place.shard];
    const auto& entry = shard.entries[place.entry];
    if (data.size() != entry.end - entry.begin) {
        throw Error(
            fmt::format("can't write tensor '{}'", name),
            fmt::format("{} bytes given, {} declared", data.size(), entry.end - entry.begin));
    }
    {
        const std::lock_guard lock(state_->mutex);
        if (place.written)
            throw Error(fmt::format("can't write tensor '{}'", name), "it was written before");
        place.written = true;
    }
    write_at(shard.descriptor, data.data(), data.size(), shard.data_begin + entry.begin,
             shard.temporary);
}

void SafetensorsWriter::finish() {
    state_->refuse_missing();
    try {
        for (auto& shard : state_->shards) state_->publish(shard);
        if (state_->shards.size() > 1) state_->write_index();
    } catch (...) {
        for (const auto& file : state_->files) ::unlink(file.c_str());
        state_->files.clear();
        throw;
    }
    if (state_->options.sync) sync_folder(state_->folder);
}

const std::vector<fs::path>& SafetensorsWriter::files() const noexcept { return state_->files; }

}  // namespace galapagos
