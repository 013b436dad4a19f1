#include "weights/source.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "weights/adapter.hpp"
#include "weights/architecture_layout.hpp"
#include "weights/digest_memo.hpp"
#include "weights/file_lock.hpp"
#include "weights/safetensors_writer.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

/// Changes whenever the same inputs would give other bits.
constexpr std::string_view cache_version = "galapagos adapted weights 1\n";

/// Name and digest of each file, a line each.
std::string describe(const DigestMemo& memo, const std::vector<fs::path>& files) {
    std::string text;
    for (const auto& file : files)
        text += fmt::format("{} {}\n", file.filename().string(), memo.digest(file));
    return text;
}

std::vector<fs::path> model_files(const ModelFolder& folder) {
    std::vector<fs::path> files = {folder.folder() / "config.json"};
    for (const auto& file : folder.weight_files()) files.push_back(file.path());
    return files;
}

std::vector<TensorSpec> changed_specs(const ModelFolder& folder, const Adapter& adapter) {
    std::vector<TensorSpec> specs;
    for (const auto& name : adapter.changed_tensors()) {
        const TensorView tensor = folder.tensor(name);
        specs.push_back({name, tensor.dtype, tensor.shape});
    }
    return specs;
}

/// A cache file that is whole and holds what it should; nothing if it is absent, damaged or made by
/// another version.
std::optional<SafetensorsFile> open_cached(const fs::path& path,
                                           const std::vector<TensorSpec>& specs) {
    if (!fs::exists(path)) return std::nullopt;
    try {
        SafetensorsFile file(path);
        if (file.entries().size() != specs.size()) return std::nullopt;
        for (const auto& spec : specs) {
            if (!file.has(spec.name)) return std::nullopt;
            const TensorView tensor = file.tensor(spec.name);
            if (tensor.dtype != spec.dtype || tensor.shape != spec.shape) return std::nullopt;
        }
        return file;
    } catch (const Error&) {
        return std::nullopt;
    }
}

void write_cached(const fs::path& folder, const std::string& key,
                  const std::vector<TensorSpec>& specs, const Adapter& adapter) {
    SafetensorsWriterOptions options;
    options.stem = key;
    options.max_shard_bytes = UINT64_MAX;
    options.replace = true;
    SafetensorsWriter writer(folder, specs, options);
    for (const auto& spec : specs) writer.write(spec.name, adapter.adapted(spec.name));
    writer.finish();
}

}  // namespace

namespace {

/// Where the adapter begins. A folder's name may hold a + of its own.
std::size_t find_adapter_mark(std::string_view reference) {
    constexpr std::size_t longest_path = 4096;  // a hostile reference is one + after the other
    std::error_code ignored;
    if (fs::is_directory(reference, ignored)) return reference.npos;
    for (auto plus = reference.find('+'); plus < longest_path; plus = reference.find('+', plus + 1))
        if (fs::is_directory(reference.substr(0, plus), ignored)) return plus;
    return reference.find('+');
}

}  // namespace

SourceSpec parse_source_reference(std::string_view reference) {
    SourceSpec spec;
    spec.name = std::string(reference);
    const auto plus = find_adapter_mark(reference);
    spec.model = fs::path(reference.substr(0, plus));
    if (plus != reference.npos) spec.adapter = fs::path(reference.substr(plus + 1));
    if (spec.model.empty() || (spec.adapter && spec.adapter->empty())) {
        throw UsageError(fmt::format("bad model reference '{}'", reference),
                         "a part of it is empty", "write 'model' or 'model+adapter'");
    }
    return spec;
}

fs::path default_cache_folder() {
    if (const char* folder = std::getenv("GALAPAGOS_CACHE"); folder != nullptr && *folder != '\0')
        return folder;
    if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder != nullptr && *folder != '\0') {
        return fs::path(folder) / "galapagos";
    }
    return fs::temp_directory_path() / fmt::format("galapagos-{}", ::geteuid());
}

std::shared_ptr<const Source> Source::open(const SourceSpec& spec, const SourceOptions& options) {
    return std::shared_ptr<const Source>(new Source(spec, options));
}

Source::Source(const SourceSpec& spec, const SourceOptions& options)
    : spec_(spec),
      cache_folder_(options.cache_folder.empty() ? default_cache_folder() : options.cache_folder),
      folder_(options.copy.empty() ? spec.model : options.copy) {
    if (spec_.adapter) apply_adapter();
    if (options.tokens > 0) folder_.keep_tokens(options.tokens);
}

void Source::apply_adapter() {
    const Adapter adapter(*spec_.adapter, folder_);
    adapter_files_ = adapter.files();
    const auto specs = changed_specs(folder_, adapter);
    make_private_folder(cache_folder_, "set GALAPAGOS_CACHE to a folder that you alone can write");
    const std::string key = "adapted-" + sha256_hex(std::string(cache_version) + sha256());
    const fs::path path = cache_folder_ / (key + ".safetensors");
    adapted_ = open_cached(path, specs);
    if (adapted_) return;
    const FileLock lock(cache_folder_ / (key + ".lock"));
    adapted_ = open_cached(path, specs);  // another process may have made it while we waited
    if (adapted_) return;
    write_cached(cache_folder_, key, specs, adapter);
    adapted_.emplace(path);
}

std::shared_ptr<const Source> Source::with_tensors(const Source& source,
                                                   const std::vector<fs::path>& files) {
    SourceOptions options;
    options.cache_folder = source.cache_folder_;
    std::shared_ptr<Source> result(new Source(source.spec(), options));
    for (const auto& file : files) result->replaced_.emplace_back(file);
    return result;
}

std::int64_t token_count(const Source& source) {
    const ArchitectureLayout* layout = find_layout(source.config());
    const bool known = layout != nullptr && source.folder().has(layout->embedding);
    return known ? source.folder().tensor(layout->embedding).shape.front() : 0;
}

std::string remark_on_tokens(const Source& source) {
    const std::int64_t left_out = source.folder().tokens_left_out();
    if (left_out == 0) return {};
    return fmt::format(
        "{}: the last {} of its {} tokens are left out, since the model that gives the tokenizer "
        "has {}",
        source.name(), left_out, token_count(source) + left_out, token_count(source));
}

std::string stored_name(const Source& source, const std::string& name) {
    const ArchitectureLayout* layout = find_layout(source.config());
    const bool left_to_embedding = layout != nullptr && name == layout->head &&
                                   source.folder().tied() && !source.has(name) &&
                                   source.has(layout->embedding);
    return left_to_embedding ? std::string(layout->embedding) : name;
}

bool Source::has(std::string_view name) const {
    return folder_.has(name) || std::any_of(replaced_.begin(), replaced_.end(),
                                            [&](const auto& file) { return file.has(name); });
}

TensorView Source::tensor(std::string_view name) const {
    for (const auto& file : replaced_)
        if (file.has(name)) return file.tensor(name);
    TensorView view = folder_.tensor(name);
    if (adapted_ && adapted_->has(name)) {
        const TensorView adapted = adapted_->tensor(name);
        view.data = adapted.data;  // of as many rows as are kept
        view.dtype = adapted.dtype;
    }
    return view;
}

const std::string& Source::sha256() const {
    std::call_once(hashed_, [&] {
        const DigestMemo memo(cache_folder_);
        sha256_ = sha256_hex(describe(memo, model_files(folder_)) + describe(memo, adapter_files_));
    });
    return sha256_;
}

}  // namespace galapagos
