#include "history/history_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/error.hpp"
#include "history/part_tables.hpp"
#include "history/run_directory.hpp"
#include "history/run_index.hpp"

namespace galapagos {
namespace {

template <typename T>
std::vector<T> cast_rows(const std::vector<std::byte>& bytes) {
    std::vector<T> rows(bytes.size() / sizeof(T));
    if (!rows.empty()) std::memcpy(rows.data(), bytes.data(), rows.size() * sizeof(T));
    return rows;
}

/// Whether the file was closed by its writer: the flags of an open one are byte 11 of the
/// superblock. Lets nothing reach HDF5 but what a part begins with: a version 3 superblock, which
/// promises that all metadata have checksums (older ones have none, and the library trusts them),
/// for a file without a user block.
bool closed_by_its_writer(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    char head[20] = {};
    in.read(head, sizeof head);
    const std::string_view begin(head, sizeof head);
    const auto refuse = [&](const char* why) {
        throw Error(fmt::format("can't read {}", file.string()), why,
                    "galapagos verify --repair moves it aside.");
    };
    if (!in || !begin.starts_with("\211HDF\r\n\032\n")) refuse("not an HDF5 file");
    if (begin[8] != 3) refuse("not an HDF5 file with the superblock of a history (version 3)");
    if (begin[9] != 8 || begin[10] != 8 ||
        begin.substr(12) != std::string_view("\0\0\0\0\0\0\0\0", 8))
        refuse("a superblock that no history has");
    return begin[11] == 0;
}

/// Reads one part file. The steps are members because they share the open tables.
class PartReader {
  public:
    PartReader(const std::filesystem::path& file, const ReadOptions& options) : options_(options) {
        part_.file = file;
    }

    HistoryPart read() {
        part_.clean = closed_by_its_writer(part_.file);
        h5_prepare();
        open();
        read_identity();
        part_.schema = read_schema(file_.get());
        // First the commits, then what they refer to: a live writer only ever adds.
        tables_ = PartTables::open(file_.get(), part_.schema);
        commits_ = committed_rows();
        read_content();
        read_events();
        return std::move(part_);
    }

  private:
    void open() {
        const H5Handle access = part_access();
        // A writer may be at work, or have been killed: only SWMR mode opens such a file.
        const unsigned mode = H5F_ACC_RDONLY | (part_.clean ? 0U : H5F_ACC_SWMR_READ);
        file_ =
            H5Handle(H5Fopen(part_.file.c_str(), mode, access.get()), H5Fclose, "can't open it");
    }

    void read_identity() {
        const std::string format = h5_read_text_attribute(file_.get(), "galapagos_format");
        if (format.substr(0, format.find('.')) != "1")
            throw Error("refused",
                        fmt::format("format version {}, this program reads 1.x", format));
        part_.run_uuid = h5_read_text_attribute(file_.get(), "run_uuid");
        part_.config_hash = h5_read_text_attribute(file_.get(), "config_hash");
        part_.island = static_cast<uint32_t>(h5_read_number_attribute(file_.get(), "island"));
        part_.part = static_cast<int>(h5_read_number_attribute(file_.get(), "part"));
        for (const std::string& name : h5_text_attributes(file_.get()))
            if (name != "run_uuid" && name != "config_hash")
                part_.attributes.emplace_back(name, h5_read_text_attribute(file_.get(), name));
    }

    /// The rows of /generation up to the first that was made but not written.
    std::vector<GenerationRow> committed_rows() {
        const H5Table& table = tables_.generation;
        auto rows = cast_rows<GenerationRow>(table.read(0, table.rows()));
        for (size_t i = 0; i < rows.size(); ++i) {
            if (rows[i].sequence == i + 1) continue;
            const bool tail = std::all_of(rows.begin() + static_cast<long>(i), rows.end(),
                                          [](const auto& row) { return row.sequence == 0; });
            if (!tail) damaged(fmt::format("row {} of /generation", i));
            part_.warnings.push_back(
                fmt::format("{}: an unfinished generation is ignored", part_.file.string()));
            rows.resize(i);
        }
        return rows;
    }

    /// Throws, unless the caller wants whatever precedes the damage.
    void damaged(const std::string& where) {
        if (!options_.tolerate_damage)
            throw Error("damaged", where, "galapagos verify --repair keeps what is whole.");
        part_.warnings.push_back(
            fmt::format("{}: damaged ({}), the rest is ignored", part_.file.string(), where));
    }

    void read_content() {
        uint64_t candidate = 0, migration = 0;
        for (size_t i = 0; i < commits_.size(); ++i) {
            const GenerationRow& row = commits_[i];
            PackedGeneration packed;
            std::string trouble;
            try {
                packed = read_generation(i, candidate, migration);
                if (checksum_of(packed) != row.checksum) trouble = "wrong checksum";
                if (options_.answers && answers_checksum_of(packed) != row.answers_checksum)
                    trouble = "wrong checksum of the answers";
                if (i > 0 && row.generation != commits_[i - 1].generation + 1)
                    trouble = "not consecutive";
            } catch (const Error& error) {
                trouble = error.what();
            }
            if (!trouble.empty()) {
                const uint64_t generation = row.generation;  // rows are packed: no references
                damaged(fmt::format("generation {}: {}", generation, trouble));
                return;
            }
            unpack(packed);
            candidate = row.candidates_end;
            migration = row.migration_end;
        }
    }

    PackedGeneration read_generation(size_t index, uint64_t candidate, uint64_t migration) {
        PackedGeneration packed;
        packed.row = commits_[index];
        const auto candidates = [&](const H5Table& table) {
            return table ? table.read(candidate, packed.row.candidates_end)
                         : std::vector<std::byte>();
        };
        const auto migrations = [&](const H5Table& table) {
            return table ? table.read(migration, packed.row.migration_end)
                         : std::vector<std::byte>();
        };
        if (tables_.diagnostics) packed.diagnostics = tables_.diagnostics.read(index, index + 1);
        packed.candidates = candidates(tables_.candidates);
        packed.genomes = candidates(tables_.genomes);
        packed.scores = candidates(tables_.scores);
        packed.answers.resize(tables_.answers.size());
        if (options_.answers)
            for (size_t task = 0; task < packed.answers.size(); ++task)
                packed.answers[task] = candidates(tables_.answers[task]);
        packed.migrations = migrations(tables_.migrations);
        packed.migration_genomes = migrations(tables_.migration_genomes);
        return packed;
    }

    void unpack(const PackedGeneration& packed) {
        const HistorySchema& schema = part_.schema;
        part_.generations.push_back(to_record(packed.row));
        part_.generations.back().diagnostics = cast_rows<double>(packed.diagnostics);
        const auto genomes = cast_rows<double>(packed.genomes);
        const auto scores = cast_rows<double>(packed.scores);
        const auto rows = cast_rows<CandidateRow>(packed.candidates);
        for (size_t i = 0; i < rows.size(); ++i) {
            CandidateRecord record = to_record(rows[i]);
            record.genome = slice(genomes, i, schema.genes.size());
            record.scores = slice(scores, i, schema.tasks.size());
            if (options_.answers) record.answers = unpack_answer_rows(packed, i);
            part_.candidates.push_back(std::move(record));
        }
        const auto migrant_genomes = cast_rows<double>(packed.migration_genomes);
        const auto migrants = cast_rows<MigrationRow>(packed.migrations);
        for (size_t i = 0; i < migrants.size(); ++i) {
            MigrationRecord record = to_record(migrants[i]);
            record.genome = slice(migrant_genomes, i, schema.genes.size());
            part_.migrations.push_back(std::move(record));
        }
    }

    static std::vector<double> slice(const std::vector<double>& values, size_t row, size_t width) {
        const auto begin = values.begin() + static_cast<long>(row * width);
        return {begin, begin + static_cast<long>(width)};
    }

    std::vector<std::vector<float>> unpack_answer_rows(const PackedGeneration& packed, size_t row) {
        std::vector<std::vector<float>> answers(packed.answers.size());
        for (size_t task = 0; task < answers.size(); ++task) {
            const size_t width = answer_row_bytes(part_.schema.tasks[task]);
            if (width == 0) continue;
            unpack_answers(part_.schema.tasks[task],
                           std::span(packed.answers[task]).subspan(row * width, width),
                           answers[task]);
        }
        return answers;
    }

    void read_events() {
        const H5Table& table = tables_.events;
        const auto rows = cast_rows<EventRow>(table.read(0, table.rows()));
        for (size_t i = 0; i < rows.size(); ++i) {
            auto event = unpack_event(rows[i], static_cast<uint32_t>(i + 1));
            if (!event) break;
            part_.events.push_back(std::move(*event));
        }
    }

    ReadOptions options_;
    HistoryPart part_;
    H5Handle file_;
    PartTables tables_;
    std::vector<GenerationRow> commits_;
};

/// 0 unless the island joined the run later.
uint64_t first_generation_of(const HistoryPart& part) {
    for (const auto& [name, value] : part.attributes)
        if (name == first_generation_key) return std::strtoull(value.c_str(), nullptr, 10);
    return 0;
}

template <typename Record>
void drop_from(std::vector<Record>& records, uint64_t generation) {
    std::erase_if(records, [&](const Record& record) { return record.generation >= generation; });
}

template <typename Record>
void append(std::vector<Record>& records, std::vector<Record>& more) {
    records.insert(records.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
}

}  // namespace

HistoryPart read_part(const std::filesystem::path& file, const ReadOptions& options) {
    try {
        return PartReader(file, options).read();
    } catch (const UsageError&) {
        throw;
    } catch (const Error& error) {
        const std::string text = error.what();
        if (text.find(file.string()) != std::string::npos) throw;
        throw Error(fmt::format("can't read {}", file.string()), text);
    }
}

IslandHistory join_parts(std::vector<HistoryPart> parts) {
    IslandHistory joined;
    std::sort(parts.begin(), parts.end(),
              [](const auto& a, const auto& b) { return a.part < b.part; });
    joined.parts = static_cast<int>(parts.size());
    for (HistoryPart& part : parts) {
        if (&part == &parts.front()) {
            joined.island = part.island;
            joined.schema = part.schema;
            joined.first_generation = first_generation_of(part);
        } else if (part.island != joined.island || part.schema != joined.schema ||
                   part.run_uuid != parts.front().run_uuid) {
            throw Error(fmt::format("can't join {}", part.file.string()),
                        fmt::format("another island, run or set of columns than {}",
                                    parts.front().file.string()),
                        "The directory mixes files of different runs.");
        }
        append(joined.warnings, part.warnings);
        append(joined.events, part.events);
        if (part.generations.empty()) continue;
        const uint64_t first = part.generations.front().generation;
        drop_from(joined.generations, first);
        drop_from(joined.candidates, first);
        drop_from(joined.migrations, first);
        const uint64_t expected = joined.generations.empty()
                                      ? joined.first_generation
                                      : joined.generations.back().generation + 1;
        if (first != expected)
            joined.warnings.push_back(fmt::format("{}: begins with generation {}, {} was expected",
                                                  part.file.string(), first, expected));
        append(joined.generations, part.generations);
        append(joined.candidates, part.candidates);
        append(joined.migrations, part.migrations);
    }
    return joined;
}

RunHistory read_run(const std::filesystem::path& root, const ReadOptions& options) {
    RunHistory run;
    run.root = root;
    const RunLayout layout{root};
    for (const uint32_t island : islands_in(layout)) {
        std::vector<HistoryPart> parts;
        for (const int part : parts_of(layout, island))
            parts.push_back(read_part(layout.part(island, part), options));
        run.islands.push_back(join_parts(std::move(parts)));
    }
    if (run.islands.empty())
        throw Error(fmt::format("{}: no history here", root.string()),
                    "no islands/i*.part*.h5 in it", "Name the run directory of galapagos evolve.");
    return run;
}

}  // namespace galapagos
