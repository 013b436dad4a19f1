#include "base/files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Files, WriteThenRead) {
    const testing::TemporaryFolder folder;
    write_atomically(folder / "a.txt", "one");
    write_atomically(folder / "a.txt", "two");
    EXPECT_EQ(read_text(folder / "a.txt"), "two");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
        << "a temporary was left behind";
}

TEST(Files, ErrorsNameTheFileAndTheReason) {
    const testing::TemporaryFolder folder;
    EXPECT_THAT(message_of([&] { read_text(folder / "none"); }), HasSubstr("No such file"));
    EXPECT_THAT(message_of([&] { read_text(folder.path()); }), HasSubstr("not a regular file"));
    EXPECT_THAT(message_of([&] { write_atomically(folder / "no/such/folder/x", "a"); }),
                HasSubstr("No such file"));
    write_atomically(folder / "big", std::string(100, 'x'));
    EXPECT_THAT(message_of([&] { read_text(folder / "big", 99); }), HasSubstr("100 bytes"));
}

TEST(Files, AnEmptyFileMapsToNothing) {
    const testing::TemporaryFolder folder;
    write_atomically(folder / "empty", "");
    EXPECT_EQ(MappedFile(folder / "empty").bytes().size(), 0u);
}

}  // namespace
}  // namespace galapagos
