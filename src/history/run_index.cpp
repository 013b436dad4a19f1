#include "history/run_index.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/host.hpp"
#include "history/hdf5.hpp"
#include "history/part_tables.hpp"
#include "history/run_layout.hpp"

namespace galapagos {
namespace {

constexpr const char* first_generation_attribute = "first_generation";

using Pairs = std::vector<std::pair<std::string, std::string>>;

const std::set<std::string>& reserved_attributes() {
    static const std::set<std::string> names{"galapagos_format", "run_uuid", "created",
                                             "config_hash",      "islands",  "started"};
    return names;
}

template <typename Item, typename Field>
auto column(const std::vector<Item>& items, Field field) {
    std::vector<std::decay_t<decltype(field(items.front()))>> values;
    for (const Item& item : items) values.push_back(field(item));
    return values;
}

void write_genes(hid_t file, const std::vector<IndexGene>& genes) {
    h5_make_group(file, "/genes");
    h5_write_strings(file, "/genes/name", column(genes, [](auto& g) { return g.name; }));
    h5_write_strings(file, "/genes/type", column(genes, [](auto& g) { return g.type; }));
    h5_write_doubles(file, "/genes/lower", column(genes, [](auto& g) { return g.lower; }));
    h5_write_doubles(file, "/genes/upper", column(genes, [](auto& g) { return g.upper; }));
    h5_write_doubles(file, "/genes/initial", column(genes, [](auto& g) { return g.initial; }));
    h5_write_strings(file, "/genes/choices",
                     column(genes, [](auto& g) { return nlohmann::json(g.choices).dump(); }));
}

std::vector<IndexGene> read_genes(hid_t file) {
    const auto names = h5_read_strings(file, "/genes/name");
    const auto types = h5_read_strings(file, "/genes/type");
    const auto lower = h5_read_doubles(file, "/genes/lower");
    const auto upper = h5_read_doubles(file, "/genes/upper");
    const auto initial = h5_read_doubles(file, "/genes/initial");
    const auto choices = h5_read_strings(file, "/genes/choices");
    for (const size_t size :
         {types.size(), lower.size(), upper.size(), initial.size(), choices.size()})
        if (size != names.size()) throw Error("can't read /genes", "columns differ in length");
    std::vector<IndexGene> genes;
    for (size_t i = 0; i < names.size(); ++i) {
        const auto list = nlohmann::json::parse(choices[i], nullptr, false);
        if (list.is_discarded()) throw Error("can't read /genes", "choices are not JSON");
        genes.push_back({names[i], types[i], lower[i], upper[i], initial[i],
                         list.get<std::vector<std::string>>()});
    }
    return genes;
}

void write_sources(hid_t file, const std::vector<IndexSource>& sources) {
    h5_make_group(file, "/sources");
    h5_write_strings(file, "/sources/name", column(sources, [](auto& s) { return s.name; }));
    h5_write_strings(file, "/sources/model", column(sources, [](auto& s) { return s.model; }));
    h5_write_strings(file, "/sources/sha256", column(sources, [](auto& s) { return s.sha256; }));
}

std::vector<IndexSource> read_sources(hid_t file) {
    const auto names = h5_read_strings(file, "/sources/name");
    const auto models = h5_read_strings(file, "/sources/model");
    const auto hashes = h5_read_strings(file, "/sources/sha256");
    if (models.size() != names.size() || hashes.size() != names.size())
        throw Error("can't read /sources", "columns differ in length");
    std::vector<IndexSource> sources;
    for (size_t i = 0; i < names.size(); ++i) sources.push_back({names[i], models[i], hashes[i]});
    return sources;
}

void write_inputs(hid_t file, const std::vector<IndexInput>& inputs) {
    h5_make_group(file, "/inputs");
    h5_write_strings(file, "/inputs/name", column(inputs, [](auto& i) { return i.name; }));
    h5_write_strings(file, "/inputs/sha256", column(inputs, [](auto& i) { return i.sha256; }));
}

std::vector<IndexInput> read_inputs(hid_t file) {
    if (!h5_exists(file, "/inputs")) return {};
    const auto names = h5_read_strings(file, "/inputs/name");
    const auto hashes = h5_read_strings(file, "/inputs/sha256");
    if (hashes.size() != names.size())
        throw Error("can't read /inputs", "columns differ in length");
    std::vector<IndexInput> inputs;
    for (size_t i = 0; i < names.size(); ++i) inputs.push_back({names[i], hashes[i]});
    return inputs;
}

void write_pairs(hid_t object, const Pairs& pairs) {
    for (const auto& [name, value] : pairs)
        if (!reserved_attributes().contains(name)) h5_write_attribute(object, name, value);
}

void write_attempts(hid_t file, const RunIndex& index) {
    h5_make_group(file, "/attempts");
    h5_make_group(file, "/islands");
    for (const IndexAttempt& attempt : index.attempts) {
        const H5Handle group = h5_make_group(file, fmt::format("/attempts/{:03}", attempt.number));
        h5_write_attribute(group.get(), "started", attempt.started);
        write_pairs(group.get(), attempt.provenance);
    }
    for (uint32_t island = 0; island < index.islands; ++island) {
        const H5Handle group = h5_make_group(file, fmt::format("/islands/{:04}", island));
        h5_write_attribute(
            group.get(), first_generation_attribute,
            island < index.first_generations.size() ? index.first_generations[island] : 0);
        for (const IndexAttempt& attempt : index.attempts) {
            const auto part = RunLayout{}.part(island, attempt.number);
            h5_check(H5Lcreate_external(part.c_str(), "/", group.get(),
                                        fmt::format("part{:03}", attempt.number).c_str(),
                                        H5P_DEFAULT, H5P_DEFAULT),
                     "can't link a part");
        }
    }
}

std::vector<uint64_t> read_first_generations(hid_t file, uint32_t islands) {
    std::vector<uint64_t> firsts;
    for (uint32_t island = 0; island < islands; ++island) {
        const std::string name = fmt::format("/islands/{:04}", island);
        const H5Handle group(H5Gopen2(file, name.c_str(), H5P_DEFAULT), H5Gclose,
                             "can't read " + name);
        firsts.push_back(h5_read_number_attribute(group.get(), first_generation_attribute));
    }
    return firsts;
}

Pairs read_pairs(hid_t object) {
    Pairs pairs;
    for (const std::string& name : h5_text_attributes(object))
        if (!reserved_attributes().contains(name))
            pairs.emplace_back(name, h5_read_text_attribute(object, name));
    return pairs;
}

std::vector<IndexAttempt> read_attempts(hid_t file) {
    std::vector<IndexAttempt> attempts;
    for (int number = 1; number < 1000; ++number) {
        const std::string name = fmt::format("/attempts/{:03}", number);
        if (!h5_exists(file, name)) continue;
        const H5Handle group(H5Gopen2(file, name.c_str(), H5P_DEFAULT), H5Gclose,
                             "can't read " + name);
        attempts.push_back(
            {number, h5_read_text_attribute(group.get(), "started"), read_pairs(group.get())});
    }
    return attempts;
}

/// The file is put together in memory, so that a full disk is met by write_atomically alone.
std::string file_image(const RunIndex& index) {
    // The oldest file format: any tool opens it, and images of newer ones have a wrong checksum.
    const H5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "can't set up HDF5");
    h5_check(H5Pset_fapl_core(access.get(), 64 << 10, false), "can't set up HDF5");
    const H5Handle file(H5Fcreate("run.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
                        "can't make an HDF5 file in memory");
    h5_write_attribute(file.get(), "galapagos_format", std::string(history_format_version));
    h5_write_attribute(file.get(), "run_uuid", index.uuid);
    h5_write_attribute(file.get(), "created", index.created);
    h5_write_attribute(file.get(), "config_hash", index.config_hash);
    h5_write_attribute(file.get(), "islands", uint64_t{index.islands});
    if (!index.attempts.empty()) write_pairs(file.get(), index.attempts.back().provenance);
    h5_write_strings(file.get(), "/config", {index.config_yaml});
    write_genes(file.get(), index.genes);
    write_sources(file.get(), index.sources);
    write_inputs(file.get(), index.inputs);
    write_schema(file.get(), {.genes = column(index.genes, [](auto& g) { return g.name; }),
                              .tasks = index.tasks,
                              .diagnostics = {}});
    write_attempts(file.get(), index);
    h5_check(H5Fflush(file.get(), H5F_SCOPE_LOCAL), "can't finish an HDF5 file in memory");
    const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
    if (size < 0) throw Error("can't finish an HDF5 file in memory");
    std::string image(static_cast<size_t>(size), '\0');
    if (H5Fget_file_image(file.get(), image.data(), image.size()) < 0)
        throw Error("can't finish an HDF5 file in memory");
    return image;
}

// The oldest file format has no checksums, and HDF5 trusts what it reads. So the image is followed
// by one of ours, 64 hexadecimal digits behind a mark; other tools never look past the image's end.
constexpr std::string_view seal_mark = "\nSHA-256 ";
constexpr size_t seal_bytes = seal_mark.size() + 64;

std::string sealed(std::string image) {
    const std::string digest = sha256_hex(std::string_view(image));
    return std::move(image.append(seal_mark).append(digest));
}

void check_seal(const std::filesystem::path& file) {
    const MappedFile map(file);
    const std::string_view content = map.text();
    if (content.size() < seal_bytes) throw Error("refused", "truncated");
    const std::string_view image = content.substr(0, content.size() - seal_bytes);
    const std::string_view seal = content.substr(image.size());
    if (!seal.starts_with(seal_mark) || seal.substr(seal_mark.size()) != sha256_hex(image))
        throw Error("refused", "damaged: wrong or missing checksum at its end");
}

RunIndex read_open_index(hid_t file) {
    RunIndex index;
    const std::string format = h5_read_text_attribute(file, "galapagos_format");
    if (format.substr(0, format.find('.')) != "1")
        throw Error("refused", fmt::format("format version {}, this program reads 1.x", format));
    index.uuid = h5_read_text_attribute(file, "run_uuid");
    index.created = h5_read_text_attribute(file, "created");
    index.config_hash = h5_read_text_attribute(file, "config_hash");
    index.islands = static_cast<uint32_t>(h5_read_number_attribute(file, "islands"));
    const auto config = h5_read_strings(file, "/config");
    if (config.size() != 1) throw Error("can't read /config");
    index.config_yaml = config.front();
    index.genes = read_genes(file);
    index.sources = read_sources(file);
    index.inputs = read_inputs(file);
    index.tasks = read_schema(file).tasks;
    index.attempts = read_attempts(file);
    index.first_generations = read_first_generations(file, index.islands);
    return index;
}

}  // namespace

std::string make_uuid() {
    std::random_device device;
    unsigned char bytes[16];
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(device());
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);  // version 4
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);  // RFC 9562 variant
    std::string text;
    for (size_t i = 0; i < sizeof bytes; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += fmt::format("{:02x}", bytes[i]);
    }
    return text;
}

void write_run_index(const std::filesystem::path& file, const RunIndex& index) {
    h5_prepare();
    write_atomically(file, sealed(file_image(index)));
}

RunIndex read_run_index(const std::filesystem::path& file) {
    h5_prepare();
    try {
        check_seal(file);
        const H5Handle access = part_access();
        const H5Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose,
                              "can't open it");
        return read_open_index(opened.get());
    } catch (const Error& error) {
        throw Error(fmt::format("can't read {}", file.string()), error.what());
    }
}

Pairs basic_provenance(const std::vector<std::string>& argv) {
    h5_prepare();
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    Pairs pairs{{"hdf5", fmt::format("{}.{}.{}", major, minor, release)},
                {"compiler", "g++ " __VERSION__},
                {"host", host_name()},
                {"argv", nlohmann::json(argv).dump()}};
    for (const char* name :
         {"SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_RESTART_COUNT", "SLURM_JOB_NODELIST",
          "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_CLUSTER_NAME", "SLURM_NTASKS"})
        if (const char* value = std::getenv(name)) pairs.emplace_back(name, value);
    return pairs;
}

}  // namespace galapagos
