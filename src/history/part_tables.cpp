#include "history/part_tables.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/error.hpp"
#include "history/columns.hpp"

namespace galapagos {
namespace {

const std::vector<std::string>& answer_type_names() {
    static const std::vector<std::string> names{"none", "bit", "real"};
    return names;
}

using MakeTable = H5Table (*)(hid_t, const std::string&, H5Handle, uint64_t);

PartTables make_tables(hid_t file, const HistorySchema& schema, MakeTable make) {
    PartTables tables;
    const auto numbers = [&](const std::string& name, H5Handle type, uint64_t width) {
        return width == 0 ? H5Table() : make(file, name, std::move(type), width);
    };
    tables.generation = make(file, "/generation", generation_row_type(), 0);
    tables.diagnostics = numbers("/diagnostics", cell_type<double>(), schema.diagnostics.size());
    tables.candidates = make(file, "/candidates/table", candidate_row_type(), 0);
    tables.genomes = numbers("/candidates/genome", cell_type<double>(), schema.genes.size());
    tables.scores = numbers("/candidates/scores", cell_type<double>(), schema.tasks.size());
    for (size_t i = 0; i < schema.tasks.size(); ++i) {
        const TaskColumns& task = schema.tasks[i];
        const bool real = task.answers == AnswerType::real;
        tables.answers.push_back(numbers(fmt::format("/answers/task{}", i),
                                         real ? cell_type<float>() : cell_type<uint8_t>(),
                                         answer_row_bytes(task) == 0 ? 0 : task.items.size()));
    }
    tables.migrations = make(file, "/migration/table", migration_row_type(), 0);
    tables.migration_genomes =
        numbers("/migration/genome", cell_type<double>(), schema.genes.size());
    tables.events = make(file, "/events", event_row_type(), 0);
    return tables;
}

AnswerType parse_answer_type(const std::string& name) {
    for (size_t i = 0; i < answer_type_names().size(); ++i)
        if (answer_type_names()[i] == name) return static_cast<AnswerType>(i);
    throw Error("can't read the history's schema", fmt::format("answer type {}", name));
}

}  // namespace

PartTables PartTables::create(hid_t file, const HistorySchema& schema) {
    for (const char* group : {"/candidates", "/answers", "/migration"}) h5_make_group(file, group);
    PartTables tables = make_tables(file, schema, H5Table::create);
    h5_write_attribute(tables.candidates.id(), "origin_names", origin_names());
    h5_write_attribute(tables.candidates.id(), "status_names", candidate_status_names());
    h5_write_attribute(tables.migrations.id(), "direction_names", migration_direction_names());
    if (tables.diagnostics)
        h5_write_attribute(tables.diagnostics.id(), "names", schema.diagnostics);
    for (size_t i = 0; i < tables.answers.size(); ++i)
        if (tables.answers[i])
            h5_write_attribute(tables.answers[i].id(), "task", schema.tasks[i].name);
    return tables;
}

PartTables PartTables::open(hid_t file, const HistorySchema& schema) {
    return make_tables(file, schema, H5Table::open);
}

std::vector<H5Table*> PartTables::content() {
    std::vector<H5Table*> all{&diagnostics, &candidates, &genomes,
                              &scores,      &migrations, &migration_genomes};
    for (H5Table& table : answers) all.push_back(&table);
    return all;
}

void write_schema(hid_t file, const HistorySchema& schema) {
    h5_make_group(file, "/schema");
    h5_make_group(file, "/schema/items");
    std::vector<std::string> tasks, types;
    for (size_t i = 0; i < schema.tasks.size(); ++i) {
        tasks.push_back(schema.tasks[i].name);
        types.push_back(answer_type_names()[static_cast<size_t>(schema.tasks[i].answers)]);
        h5_write_strings(file, fmt::format("/schema/items/task{}", i), schema.tasks[i].items);
    }
    h5_write_strings(file, "/schema/genes", schema.genes);
    h5_write_strings(file, "/schema/tasks", tasks);
    h5_write_strings(file, "/schema/answer_types", types);
    h5_write_strings(file, "/schema/diagnostics", schema.diagnostics);
}

HistorySchema read_schema(hid_t file) {
    HistorySchema schema;
    schema.genes = h5_read_strings(file, "/schema/genes");
    schema.diagnostics = h5_read_strings(file, "/schema/diagnostics");
    const auto tasks = h5_read_strings(file, "/schema/tasks");
    const auto types = h5_read_strings(file, "/schema/answer_types");
    if (tasks.size() != types.size())
        throw Error("can't read the history's schema", "tasks and answer types differ in number");
    for (size_t i = 0; i < tasks.size(); ++i)
        schema.tasks.push_back({tasks[i], parse_answer_type(types[i]),
                                h5_read_strings(file, fmt::format("/schema/items/task{}", i))});
    return schema;
}

H5Handle part_creation() {
    H5Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "can't set up HDF5");
    // A kill may stop a write between two pages of the system's cache. A block of HDF5's own that
    // lies within one page is there either as it was or as it should be, never half of each.
    constexpr hsize_t page = 4096;
    h5_check(H5Pset_file_space_strategy(creation.get(), H5F_FSPACE_STRATEGY_PAGE, false, 1),
             "can't set up HDF5");
    h5_check(H5Pset_file_space_page_size(creation.get(), page), "can't set up HDF5");
    return creation;
}

H5Handle part_access() {
    H5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "can't set up HDF5");
    h5_check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_LATEST),
             "can't set up HDF5");
    // While it reads a file that may be growing, the library repeats a failed read after pauses
    // that double from one nanosecond. Its default of 100 repetitions would wait for ever on a
    // damaged file.
    h5_check(H5Pset_metadata_read_attempts(access.get(), 26), "can't set up HDF5");
#if H5_VERSION_GE(1, 10, 7)
    h5_check(H5Pset_file_locking(access.get(), false, true), "can't set up HDF5");
#endif
    return access;
}

}  // namespace galapagos
