// Writes sample histories for tests that kill the writer or read from another language.
//   sample_writer part RUN ISLAND PART FIRST COUNT   one part; prints a generation's number once it
//   is committed sample_writer run RUN                            a whole run: two islands, the
//   first in two attempts
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>

#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

void write_part(const RunLayout& layout, uint32_t island, int part, uint64_t first,
                uint64_t count) {
    HistoryWriter writer(layout.part(island, part), sample::identity(island, part),
                         sample::schema());
    writer.event(part == 1 ? "start" : "resume", "sample writer");
    for (uint64_t number = first; number < first + count; ++number) {
        sample::append(writer, island, number);
        std::printf("%llu\n", static_cast<unsigned long long>(number));
        std::fflush(stdout);
    }
    writer.close();
}

void write_run(const std::filesystem::path& root) {
    const RunConfig config{sample::index(2, 1).config_yaml, {}};
    {
        const auto run = RunDirectory::open(root, config, Resume::never);
        write_run_index(run.layout().index(), sample::index(2, 1));
        write_part(run.layout(), 0, 1, 0, 12);
        write_part(run.layout(), 1, 1, 0, 20);
    }
    const auto run = RunDirectory::open(root, config, Resume::must);
    write_run_index(run.layout().index(), sample::index(2, 2));
    write_part(run.layout(), 0, 2, 10, 10);
}

}  // namespace
}  // namespace galapagos

int main(int argc, char** argv) try {
    using namespace galapagos;
    const std::string mode = argc > 2 ? argv[1] : "";
    if (mode == "run") {
        write_run(argv[2]);
    } else if (mode == "part" && argc == 7) {
        const RunLayout layout{argv[2]};
        std::filesystem::create_directories(layout.islands());
        write_part(layout, static_cast<uint32_t>(std::atoi(argv[3])), std::atoi(argv[4]),
                   std::strtoull(argv[5], nullptr, 10), std::strtoull(argv[6], nullptr, 10));
    } else {
        std::fprintf(stderr, "usage: sample_writer run RUN | part RUN ISLAND PART FIRST COUNT\n");
        return 2;
    }
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
