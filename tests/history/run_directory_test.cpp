#include "history/run_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

const RunConfig config{
    "galapagos: 1\nseed: 7\nsearch: {optimizer: ga}\ntasks: [{file: a.yaml}, {file: b.yaml}]\n"
    "budget: {generations: 10}\n",
    {"budget"}};

RunConfig with(const std::string& from, const std::string& to) {
    RunConfig changed = config;
    changed.yaml.replace(changed.yaml.find(from), from.size(), to);
    return changed;
}

TEST(RunDirectory, StartsThenResumes) {
    const sample::Folder folder;
    const auto root = folder / "new/run";
    {
        const auto run = RunDirectory::open(root, config, Resume::automatic);
        EXPECT_FALSE(run.resumed());
        EXPECT_EQ(run.attempt(), 1);
        EXPECT_EQ(read_text(run.layout().config()), config.yaml);
        HistoryWriter(run.layout().part(2, 1), sample::identity(2, 1), sample::schema());
        std::ofstream(run.layout().root / "run.h5.tmp.123") << "left by a kill";
        std::ofstream(run.layout().stop());
        EXPECT_TRUE(run.layout().stop_requested());
    }
    const auto run = RunDirectory::open(root, config, Resume::must);
    EXPECT_TRUE(run.resumed());
    EXPECT_EQ(run.attempt(), 2);
    EXPECT_TRUE(temporary_files(run.layout()).empty());
    run.clear_stop_request();
    EXPECT_FALSE(run.layout().stop_requested());
}

TEST(RunDirectory, ObeysResume) {
    const sample::Folder folder;
    EXPECT_THAT([&] { RunDirectory::open(folder / "run", config, Resume::must); },
                ThrowsMessage<UsageError>(HasSubstr("nothing to resume")));
    EXPECT_FALSE(std::filesystem::exists(folder / "run"));
    RunDirectory::open(folder / "run", config, Resume::never);
    EXPECT_THAT([&] { RunDirectory::open(folder / "run", config, Resume::never); },
                ThrowsMessage<UsageError>(HasSubstr("holds a run already")));
}

TEST(RunDirectory, RefusesAnotherConfigurationByKey) {
    const sample::Folder folder;
    RunDirectory::open(folder / "run", config, Resume::automatic);
    const auto open = [&](const RunConfig& other) {
        RunDirectory::open(folder / "run", other, Resume::automatic);
    };
    EXPECT_THAT([&] { open(with("seed: 7", "seed: 8")); },
                ThrowsMessage<UsageError>(HasSubstr("seed: was 7, now 8")));
    EXPECT_THAT([&] { open(with("b.yaml", "c.yaml")); },
                ThrowsMessage<UsageError>(
                    AllOf(HasSubstr("tasks[1].file: was b.yaml"), Not(HasSubstr("tasks[0]")))));
    EXPECT_THAT([&] { open(with("seed: 7", "seed: 7\nnew: key")); },
                ThrowsMessage<UsageError>(HasSubstr("new: was absent, now key")));
    EXPECT_EQ(read_text(folder / "run/run.yaml"), config.yaml) << "a refusal changes nothing";
    open(with("generations: 10", "generations: 99"));
    EXPECT_THAT(read_text(folder / "run/run.yaml"), HasSubstr("99"));
}

TEST(RunConfig, HashIgnoresOrderAndWhatMayChange) {
    EXPECT_EQ(config.hash(), with("generations: 10", "generations: 11").hash());
    EXPECT_EQ(config.hash(), with("galapagos: 1\nseed: 7", "seed:   7\ngalapagos: 1").hash());
    EXPECT_NE(config.hash(), with("ga}", "cma_es}").hash());
    RunConfig prefix = with("seed: 7", "seed: 7\nbudgets: 1");
    EXPECT_NE(config.hash(), prefix.hash()) << "budget must not cover budgets";
}

TEST(RunDirectory, IsHeldByOneProcess) {
    const sample::Folder folder;
    int ready[2], done[2];
    ASSERT_EQ(::pipe(ready) + ::pipe(done), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto run = RunDirectory::open(folder / "run", config, Resume::automatic);
        char byte = 'x';
        if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) < 0) ::_exit(1);
        ::_exit(0);  // like a kill: nothing is released in order
    }
    char byte;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    EXPECT_THAT([&] { RunDirectory::open(folder / "run", config, Resume::automatic); },
                ThrowsMessage<Error>(
                    AllOf(HasSubstr("is in use"), HasSubstr("process " + std::to_string(child)))));
    EXPECT_EQ(lock_holder(folder / "run/lock")->process, child);
    ASSERT_EQ(::write(done[1], &byte, 1), 1);
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(lock_holder(folder / "run/lock"));
    EXPECT_NO_THROW(RunDirectory::open(folder / "run", config, Resume::automatic));
}

TEST(RunLock, JudgesPreviousOwnersWithoutLocks) {
    const LockOwner self{"node1", ::getpid(), "77", "2026-01-31T12:00:00Z"};
    EXPECT_FALSE(previous_owner_is_gone(self, self));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(previous_owner_is_gone({"node1", child, "", ""}, self));
    EXPECT_TRUE(previous_owner_is_gone({"node2", 1, "77", ""}, self)) << "requeued elsewhere";
    EXPECT_FALSE(previous_owner_is_gone({"node2", 1, "78", ""}, self));
    EXPECT_FALSE(previous_owner_is_gone({"node2", 1, "", ""}, {"node1", 1, "", ""}));
    EXPECT_EQ(LockOwner::parse(self.text())->text(), self.text());
    EXPECT_FALSE(LockOwner::parse(""));
}

TEST(RunDirectory, SaysWhenItMayNotWrite) {
    const sample::Folder folder;
    std::filesystem::create_directories(folder / "locked");
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
    std::filesystem::permissions(folder / "locked", std::filesystem::perms(0555));
    int answer[2];
    ASSERT_EQ(::pipe(answer), 0);
    const pid_t child = ::fork();  // permissions don't bind root, so become somebody else
    if (child == 0) {
        std::string text = "no error";
        if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(1);
        try {
            RunDirectory::open(folder / "locked/run", config, Resume::automatic);
        } catch (const Error& error) {
            text = error.what();
        }
        ::_exit(::write(answer[1], text.data(), text.size()) > 0 ? 0 : 1);
    }
    ::close(answer[1]);
    char text[1024] = {};
    ASSERT_GT(::read(answer[0], text, sizeof text - 1), 0);
    ::waitpid(child, nullptr, 0);
    EXPECT_THAT(text, AllOf(HasSubstr("locked/run"), HasSubstr("Permission denied")));

    std::ofstream(folder / "file") << "in the way";
    EXPECT_THROW(RunDirectory::open(folder / "file", config, Resume::automatic), Error);
}

TEST(RunDirectory, RefusesHistoriesWithoutConfiguration) {
    const sample::Folder folder;
    const RunLayout layout{folder / "run"};
    RunDirectory::open(layout.root, config, Resume::automatic);
    HistoryWriter(layout.part(0, 1), sample::identity(0, 1), sample::schema());
    std::filesystem::remove(layout.config());
    EXPECT_THAT([&] { RunDirectory::open(layout.root, config, Resume::automatic); },
                ThrowsMessage<Error>(HasSubstr("no run.yaml")));
}

TEST(RunIndex, ReturnsWhatWasWritten) {
    const sample::Folder folder;
    const RunLayout layout{folder.path()};
    RunIndex index = sample::index(2, 3);
    index.config_yaml = std::string(100000, 'c');  // longer than an HDF5 attribute may be
    write_run_index(layout.index(), index);
    const RunIndex back = read_run_index(layout.index());
    EXPECT_EQ(back.uuid, index.uuid);
    EXPECT_EQ(back.config_yaml, index.config_yaml);
    EXPECT_EQ(back.islands, 2U);
    EXPECT_EQ(back.tasks, index.tasks);
    ASSERT_EQ(back.genes.size(), 4U);
    EXPECT_EQ(back.genes[3].choices, index.genes[3].choices);
    EXPECT_EQ(back.genes[0].upper, 1.5);
    EXPECT_EQ(back.sources[1].sha256, index.sources[1].sha256);
    ASSERT_EQ(back.inputs.size(), 2U);
    EXPECT_EQ(back.inputs[0].name, index.inputs[0].name);
    EXPECT_EQ(back.inputs[1].sha256, index.inputs[1].sha256);
    ASSERT_EQ(back.attempts.size(), 3U);
    EXPECT_EQ(back.attempts[2].provenance, index.attempts[2].provenance);
    // Any change anywhere is found before HDF5 sees the file.
    for (const int place : {0, 3000, 12000}) {
        write_run_index(layout.index(), index);
        std::fstream(layout.index(), std::ios::binary | std::ios::in | std::ios::out)
            .seekp(place)
            .write("garbage", 7);
        EXPECT_THAT([&] { read_run_index(layout.index()); },
                    ThrowsMessage<Error>(AllOf(HasSubstr("run.h5"), HasSubstr("checksum"))));
    }
}

TEST(RunIndex, UuidsAreRandomVersionFour) {
    const std::string uuid = make_uuid();
    EXPECT_THAT(uuid, testing::MatchesRegex("[0-9a-f-]{36}"));
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(uuid, make_uuid());
}

}  // namespace
}  // namespace galapagos
