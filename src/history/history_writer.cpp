#include "history/history_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "history/part_tables.hpp"
#include "history/run_index.hpp"

namespace galapagos {
namespace {

// What HDF5 may write beside the rows for one generation: chunk indexes, object headers,
// superblock.
constexpr uint64_t metadata_bytes = 128 << 10;
// The library leaves small gaps below the end of the file that it fills later.
constexpr uint64_t gap_bytes = 1 << 20;

[[noreturn]] void no_space(const std::filesystem::path& file, const std::string& why) {
    throw Error(fmt::format("can't add to {}", file.string()), why,
                "Free some space and resume; everything written so far is safe.");
}

/// Has the file system set aside `bytes` past the end of the file, so that HDF5, which doesn't
/// survive a failed write, never meets a full disk.
void reserve_space(int descriptor, uint64_t bytes, const std::filesystem::path& file) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) no_space(file, std::strerror(errno));
    const auto size = static_cast<uint64_t>(status.st_size);
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size + bytes > limit.rlim_cur)
        no_space(file, "file size limit reached, see ulimit -f");

    const uint64_t begin = size > gap_bytes ? size - gap_bytes : 0;
    if (::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                    static_cast<off_t>(size - begin + bytes)) == 0)
        return;
    if (errno != EOPNOTSUPP && errno != ENOSYS) no_space(file, std::strerror(errno));
    struct statvfs space {};
    if (::fstatvfs(descriptor, &space) == 0 && space.f_bavail * space.f_frsize < bytes)
        no_space(file, std::strerror(ENOSPC));
}

}  // namespace

struct HistoryWriter::Impl {
    std::filesystem::path path;
    HistorySchema schema;
    H5Handle file;
    PartTables tables;
    int descriptor = -1;  // the library's own; not ours to close
    bool broken = false;
    std::optional<uint64_t> last_generation;

    Impl(std::filesystem::path target, const PartIdentity& identity, HistorySchema columns);
    ~Impl() {
        if (broken) abandon();
    }
    void create(const std::filesystem::path& temporary, const PartIdentity& identity);
    void require_working() const;
    void write_generation(PackedGeneration& packed);
    void flush_file() { h5_check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "can't flush"); }
    // After a failed write, closing would only fail again.
    void abandon() noexcept;
    template <typename Write>
    void guarded(Write write);
};

HistoryWriter::Impl::Impl(std::filesystem::path target, const PartIdentity& identity,
                          HistorySchema columns)
    : path(std::move(target)), schema(std::move(columns)) {
    h5_prepare();
    if (std::filesystem::exists(path))
        throw Error(fmt::format("can't create {}", path.string()), "it exists",
                    "A part belongs to one job attempt; resume with the next part number.");
    // Under its own name the file appears only once readers can open it.
    const std::filesystem::path temporary = fmt::format("{}.tmp.{}", path.string(), ::getpid());
    try {
        create(temporary, identity);
    } catch (...) {
        abandon();
        ::unlink(temporary.c_str());
        throw;
    }
}

void HistoryWriter::Impl::create(const std::filesystem::path& temporary,
                                 const PartIdentity& identity) {
    const H5Handle access = part_access();
    const std::string what = fmt::format("can't create {}", path.string());
    const H5Handle creation = part_creation();
    file = H5Handle(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
                    H5Fclose, what);
    void* handle = nullptr;
    h5_check(H5Fget_vfd_handle(file.get(), access.get(), &handle), what);
    descriptor = *static_cast<int*>(handle);
    uint64_t header = 2 * metadata_bytes;
    for (const auto& gene : schema.genes) header += 2 * gene.size() + 64;
    for (const auto& task : schema.tasks)
        for (const auto& item : task.items) header += 2 * item.size() + 64;
    reserve_space(descriptor, header, path);

    h5_write_attribute(file.get(), "galapagos_format", std::string(history_format_version));
    h5_write_attribute(file.get(), "run_uuid", identity.run_uuid);
    h5_write_attribute(file.get(), "config_hash", identity.config_hash);
    h5_write_attribute(file.get(), "created", utc_timestamp());
    h5_write_attribute(file.get(), "island", uint64_t{identity.island});
    h5_write_attribute(file.get(), "part", static_cast<uint64_t>(identity.part));
    for (const auto& [name, value] : identity.attributes)
        h5_write_attribute(file.get(), name, value);
    write_schema(file.get(), schema);
    tables = PartTables::create(file.get(), schema);
    h5_check(H5Fstart_swmr_write(file.get()), what);
    flush_file();
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw Error(what, std::strerror(errno));
}

void HistoryWriter::Impl::require_working() const {
    if (broken || !file)
        throw Error(fmt::format("can't add to {}", path.string()),
                    broken ? "an earlier write failed" : "it is closed",
                    "Resume the run: a new part continues after the last whole generation.");
}

void HistoryWriter::Impl::abandon() noexcept {
    for (H5Table* table : tables.content()) table->abandon();
    tables.generation.abandon();
    tables.events.abandon();
    file.release();
}

template <typename Write>
void HistoryWriter::Impl::guarded(Write write) {
    try {
        write();
    } catch (const Error& error) {
        broken = true;
        throw Error(fmt::format("can't add to {}", path.string()), error.what(),
                    "Every generation before this one is safe; resume the run when it's mended.");
    }
}

void HistoryWriter::Impl::write_generation(PackedGeneration& packed) {
    GenerationRow& row = packed.row;
    row.candidates_end = tables.candidates.rows() + packed.candidates.size() / sizeof(CandidateRow);
    row.migration_end = tables.migrations.rows() + packed.migrations.size() / sizeof(MigrationRow);
    row.sequence = static_cast<uint32_t>(tables.generation.rows() + 1);
    row.answers_checksum = answers_checksum_of(packed);
    row.checksum = checksum_of(packed);

    tables.diagnostics.append(packed.diagnostics);
    tables.candidates.append(packed.candidates);
    tables.genomes.append(packed.genomes);
    tables.scores.append(packed.scores);
    for (size_t i = 0; i < tables.answers.size(); ++i) tables.answers[i].append(packed.answers[i]);
    tables.migrations.append(packed.migrations);
    tables.migration_genomes.append(packed.migration_genomes);
    for (H5Table* table : tables.content()) table->flush();

    // The commit: nothing of this generation counts before this row is in the file.
    tables.generation.append(std::as_bytes(std::span(&row, 1)));
    tables.generation.flush();
    flush_file();
}

HistoryWriter::HistoryWriter(const std::filesystem::path& file, PartIdentity identity,
                             HistorySchema schema)
    : impl_(std::make_unique<Impl>(file, identity, std::move(schema))) {}
HistoryWriter::~HistoryWriter() = default;
HistoryWriter::HistoryWriter(HistoryWriter&&) noexcept = default;
HistoryWriter& HistoryWriter::operator=(HistoryWriter&&) noexcept = default;

void HistoryWriter::append(const GenerationRecord& generation,
                           std::span<const CandidateRecord> candidates,
                           std::span<const MigrationRecord> migrations) {
    impl_->require_working();
    if (impl_->last_generation && generation.generation != *impl_->last_generation + 1)
        throw Error(
            fmt::format("can't add to {}", impl_->path.string()),
            fmt::format("generation {} after {}", generation.generation, *impl_->last_generation));
    PackedGeneration packed = pack(impl_->schema, generation, candidates, migrations);
    PartTables& tables = impl_->tables;
    uint64_t growth = metadata_bytes + tables.generation.growth(1) + tables.diagnostics.growth(1);
    for (H5Table* table : {&tables.candidates, &tables.genomes, &tables.scores})
        growth += table->growth(candidates.size());
    for (const H5Table& table : tables.answers) growth += table.growth(candidates.size());
    for (H5Table* table : {&tables.migrations, &tables.migration_genomes})
        growth += table->growth(migrations.size());
    reserve_space(impl_->descriptor, growth + growth / 8, impl_->path);

    impl_->guarded([&] { impl_->write_generation(packed); });
    impl_->last_generation = generation.generation;
}

void HistoryWriter::event(const std::string& code, const std::string& text) {
    event({unix_time(), impl_->last_generation ? *impl_->last_generation + 1 : 0, code, text});
}

void HistoryWriter::event(const EventRecord& event) {
    impl_->require_working();
    H5Table& events = impl_->tables.events;
    reserve_space(impl_->descriptor, metadata_bytes + events.growth(1), impl_->path);
    const EventRow row = pack_event(event, static_cast<uint32_t>(events.rows() + 1));
    impl_->guarded([&] {
        events.append(std::as_bytes(std::span(&row, 1)));
        events.flush();
    });
}

void HistoryWriter::sync() {
    impl_->require_working();
    if (::fdatasync(impl_->descriptor) != 0)
        throw Error(fmt::format("can't sync {}", impl_->path.string()), std::strerror(errno));
}

void HistoryWriter::close() {
    if (!impl_->file || impl_->broken) return;
    impl_->guarded([&] {
        impl_->tables = PartTables();
        h5_check(H5Fclose(impl_->file.release()), "can't close");
    });
}

const std::filesystem::path& HistoryWriter::file() const { return impl_->path; }

}  // namespace galapagos
