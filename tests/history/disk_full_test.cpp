// A disk that fills up costs the generation under way and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <fstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/checkpoint.hpp"
#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Appends until it fails; returns the number of generations and leaves the message in `text`.
uint64_t append_until_full(HistoryWriter& writer, std::string& text) {
    uint64_t number = 0;
    try {
        for (; number < 100000; ++number) sample::append(writer, 0, number);
    } catch (const Error& error) {
        text = error.what();
    }
    return number;
}

class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit now = before_;
        now.rlim_cur = bytes;
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

  private:
    rlimit before_{};
    sighandler_t handler_;
};

TEST(FileSizeLimit, HistoryGoesOnOnceThereIsRoom) {
    const sample::Folder folder;
    const RunLayout layout{folder.path()};
    std::filesystem::create_directories(layout.islands());
    HistoryWriter writer(layout.part(0, 1), sample::identity(0, 1), sample::schema());
    std::string text;
    uint64_t number = 0;
    {
        const FileSizeLimit limit(1 << 20);
        number = append_until_full(writer, text);
        EXPECT_THAT(text, AllOf(HasSubstr("i0000.part001.h5"), HasSubstr("file size limit")));
        EXPECT_THROW(sample::append(writer, 0, number), Error);
    }
    EXPECT_GT(number, 50U);
    EXPECT_EQ(sample::difference(read_run(folder.path(), {.answers = true}).islands[0], number),
              "");
    sample::append(writer, 0, number);
    writer.close();
    EXPECT_EQ(sample::difference(read_run(folder.path(), {.answers = true}).islands[0], number + 1),
              "");
}

TEST(FileSizeLimit, CheckpointKeepsTheOldOne) {
    const sample::Folder folder;
    const CheckpointStore store(folder.path(), 0, std::string(64, 'a'));
    store.save(1, "small");
    {
        const FileSizeLimit limit(10000);
        EXPECT_THROW(store.save(2, std::string(100000, 'x')), Error);
    }
    std::vector<std::string> warnings;
    EXPECT_EQ(store.load_newest(warnings)->state, "small");
    EXPECT_TRUE(warnings.empty());
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
        << "no temporary file is left";
}

/// A file system of one megabyte, where mounting is allowed.
class SmallDisk : public testing::Test {
  protected:
    void SetUp() override {
        if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=1m") != 0)
            GTEST_SKIP() << "mounting a tmpfs is not allowed here";
        mounted_ = true;
    }
    void TearDown() override {
        if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
    }
    /// Takes what is left of the disk.
    void fill() {
        std::ofstream out(folder_ / "filler", std::ios::binary);
        const std::string block(4096, 'f');
        while (out.write(block.data(), 4096).flush()) {
        }
    }
    sample::Folder folder_;
    bool mounted_ = false;
};

TEST_F(SmallDisk, HistoryGoesOnOnceThereIsRoom) {
    const RunLayout layout{folder_.path()};
    std::filesystem::create_directories(layout.islands());
    std::ofstream(folder_ / "ballast") << std::string(300000, 'b');
    HistoryWriter writer(layout.part(0, 1), sample::identity(0, 1), sample::schema());
    std::string text;
    const uint64_t number = append_until_full(writer, text);
    EXPECT_THAT(text, AllOf(HasSubstr("No space left on device"), HasSubstr("Free some space")));
    EXPECT_GT(number, 20U);
    EXPECT_EQ(sample::difference(read_run(folder_.path(), {.answers = true}).islands[0], number),
              "");
    std::filesystem::remove(folder_ / "ballast");
    EXPECT_NO_THROW(sample::append(writer, 0, number));
    EXPECT_NO_THROW(writer.close());
    EXPECT_EQ(sample::difference(read_run(folder_.path()).islands[0], number + 1), "");
}

TEST_F(SmallDisk, EverythingElseFailsWithoutLoss) {
    const RunConfig config{"galapagos: 1\n", {}};
    const RunLayout layout{folder_ / "run"};
    RunDirectory::open(layout.root, config, Resume::automatic);
    const CheckpointStore store(layout.checkpoints(), 0, config.hash());
    store.save(1, "one");
    write_run_index(layout.index(), sample::index(1, 1));
    fill();
    EXPECT_THAT([&] { store.save(2, std::string(5000, '2')); },
                ThrowsMessage<Error>(HasSubstr("No space left on device")));
    EXPECT_THROW(write_run_index(layout.index(), sample::index(1, 2)), Error);
    EXPECT_THROW(HistoryWriter(layout.part(0, 1), sample::identity(0, 1), sample::schema()), Error);
    EXPECT_FALSE(std::filesystem::exists(layout.part(0, 1)));
    EXPECT_THROW(RunDirectory::open(layout.root, config, Resume::automatic), Error);
    std::vector<std::string> warnings;
    EXPECT_EQ(store.load_newest(warnings)->state, "one");
    EXPECT_EQ(read_run_index(layout.index()).attempts.size(), 1U);
    EXPECT_EQ(read_text(layout.config()), config.yaml);
    std::filesystem::remove(folder_ / "filler");
    EXPECT_NO_THROW(RunDirectory::open(layout.root, config, Resume::must));
    EXPECT_NO_THROW(HistoryWriter(layout.part(0, 1), sample::identity(0, 1), sample::schema()));
}

}  // namespace
}  // namespace galapagos
