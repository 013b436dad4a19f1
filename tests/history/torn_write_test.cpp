// A kill may stop a write between two pages. No block that HDF5 needs to open a part lies on both.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace {

struct Write {
    std::uint64_t begin, bytes;
};
std::vector<Write>& writes() {
    static std::vector<Write> list;
    return list;
}

}  // namespace

// Stands before the C library's, so that HDF5's writes are seen.
extern "C" ssize_t pwrite(int file, const void* data, std::size_t bytes, off_t begin) {
    writes().push_back({static_cast<std::uint64_t>(begin), bytes});
    return ::syscall(SYS_pwrite64, file, data, bytes, begin);
}

namespace galapagos {
namespace {

TEST(TornWrite, BlocksUpToAPageLieWithinOne) {
    constexpr std::uint64_t page = 4096, generations = 200;
    const sample::Folder folder;
    const RunLayout layout{folder.path()};
    std::filesystem::create_directories(layout.islands());
    HistoryWriter writer(layout.part(0, 1), sample::identity(0, 1), sample::schema());
    writes().clear();
    for (std::uint64_t number = 0; number < generations; ++number)
        sample::append(writer, 0, number);
    writer.close();
    ASSERT_GT(writes().size(), 10 * generations) << "HDF5 writes in a way that isn't seen here";
    // Larger writes are chunks of rows: a torn one belongs to a generation that was not committed.
    for (const Write& write : writes()) {
        if (write.bytes > page) continue;
        EXPECT_EQ(write.begin / page, (write.begin + write.bytes - 1) / page)
            << write.bytes << " bytes at " << write.begin;
    }
}

}  // namespace
}  // namespace galapagos
