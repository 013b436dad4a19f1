#include "history/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/checkpoint.hpp"
#include "history/history_report.hpp"
#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

const RunConfig config{sample::index(2, 1).config_yaml, {}};

class Verify : public testing::Test {
  protected:
    Verify() {
        RunDirectory::open(layout_.root, config, Resume::automatic);
        write_run_index(layout_.index(), sample::index(2, 1));
    }
    void write(uint32_t island, int part, uint64_t first, uint64_t end) {
        HistoryWriter out(layout_.part(island, part), sample::identity(island, part),
                          sample::schema());
        out.event("start", "test");
        for (uint64_t number = first; number < end; ++number) sample::append(out, island, number);
    }
    /// A process that ends without closing the file.
    void write_and_die(uint32_t island, int part, uint64_t first, uint64_t end) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto* out = new HistoryWriter(layout_.part(island, part),
                                          sample::identity(island, part), sample::schema());
            for (uint64_t number = first; number < end; ++number)
                sample::append(*out, island, number);
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
    }
    sample::Folder folder_;
    RunLayout layout_{folder_ / "run"};
};

TEST_F(Verify, FindsASoundRunSound) {
    write(0, 1, 0, 10);
    write(1, 1, 0, 12);
    const CheckpointStore store(layout_.checkpoints(), 0, config.hash());
    store.save(10, "state");
    const VerifyReport report = verify(layout_.root, false);
    EXPECT_TRUE(report.sound()) << report.text();
    EXPECT_TRUE(report.findings.empty()) << report.text();
    EXPECT_EQ(report.files, 5);
    EXPECT_EQ(report.generations, 22U);
    EXPECT_TRUE(nlohmann::json::parse(report.json())["sound"]);
    EXPECT_TRUE(verify(layout_.part(0, 1), false).sound());
    EXPECT_TRUE(verify(store.file(10), false).sound());
    EXPECT_TRUE(verify(layout_.index(), false).sound());
    EXPECT_THROW(verify(folder_ / "none", false), Error);
}

TEST_F(Verify, ClosesWhatAKillLeftOpen) {
    write_and_die(0, 1, 0, 10);
    EXPECT_FALSE(read_part(layout_.part(0, 1)).clean);
    EXPECT_TRUE(verify(layout_.root, false).sound());
    EXPECT_FALSE(read_part(layout_.part(0, 1)).clean) << "without repair nothing changes";
    EXPECT_TRUE(verify(layout_.root, true).sound());
    EXPECT_TRUE(read_part(layout_.part(0, 1)).clean);
    EXPECT_EQ(sample::difference(read_run(layout_.root, {.answers = true}).islands[0], 10), "");
    EXPECT_TRUE(temporary_files(layout_).empty());
}

TEST_F(Verify, KeepsWhatIsWholeOfATruncatedPart) {
    write(0, 1, 0, 60);
    const auto file = layout_.part(0, 1);
    std::filesystem::resize_file(file, std::filesystem::file_size(file) * 9 / 10);
    const VerifyReport found = verify(layout_.root, false);
    EXPECT_FALSE(found.sound());
    EXPECT_THAT(found.text(), HasSubstr("truncated"));
    const VerifyReport mended = verify(layout_.root, true);
    EXPECT_TRUE(mended.sound()) << mended.text();
    const IslandHistory island = read_run(layout_.root, {.answers = true}).islands[0];
    EXPECT_GT(island.generations.size(), 0U) << mended.text();
    EXPECT_EQ(sample::difference(island, island.generations.size()), "");
    EXPECT_TRUE(std::filesystem::exists(file.string() + ".damaged"));
}

TEST_F(Verify, RefusesToRepairALiveRun) {
    write(0, 1, 0, 3);
    const auto run = RunDirectory::open(layout_.root, config, Resume::must);
    EXPECT_TRUE(verify(layout_.root, false).sound());
    EXPECT_THAT([&] { verify(layout_.root, true); }, ThrowsMessage<Error>(HasSubstr("in use")));
}

TEST_F(Verify, ReportsGapsCheckpointsAndMissingFiles) {
    write(0, 1, 0, 5);
    write(0, 2, 7, 9);
    EXPECT_THAT(verify(layout_.root, false).text(), HasSubstr("5 was expected"));
    std::filesystem::remove(layout_.part(0, 2));
    const CheckpointStore store(layout_.checkpoints(), 0, config.hash());
    store.save(4, "state");
    store.save(6, "state");
    EXPECT_THAT(verify(layout_.root, false).text(), HasSubstr("6 generations told"));
    std::ofstream(store.file(6)) << "GALPCKPT";
    EXPECT_TRUE(verify(layout_.root, true).sound());
    EXPECT_EQ(store.generations(), std::vector<uint64_t>{4});
    std::filesystem::remove(layout_.config());
    EXPECT_FALSE(verify(layout_.root, false).sound());
    EXPECT_TRUE(verify(layout_.root, true).sound());
    EXPECT_EQ(read_text(layout_.config()), config.yaml);
}

// Whatever bytes of a part are lost, reading must end in records that were written or in an Error.
TEST_F(Verify, SurvivesRandomDamage) {
    write(0, 1, 0, 8);
    const auto file = layout_.part(0, 1);
    const std::string whole = read_text(file);
    std::mt19937 random(11);
    for (int round = 0; round < 60; ++round) {
        std::string bytes = whole;
        const size_t begin = random() % bytes.size(), length = 1 + random() % 64;
        for (size_t i = begin; i < std::min(begin + length, bytes.size()); ++i)
            bytes[i] = static_cast<char>(random());
        std::ofstream(file, std::ios::binary) << bytes;
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            try {
                const HistoryPart part =
                    read_part(file, {.answers = true, .tolerate_damage = true});
                const IslandHistory island = join_parts({part});
                ::_exit(sample::difference(island, island.generations.size()).empty() ? 0 : 3);
            } catch (const Error&) {
                ::_exit(0);
            }
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
            << "round " << round << ", bytes " << begin << "+" << length << ", status " << status;
    }
}

TEST_F(Verify, RefusesWhatIsNoPartOfARun) {
    const std::filesystem::path other = folder_ / "other";
    std::filesystem::create_directory(other);
    write_atomically(other / "model.safetensors", "weights");
    const auto refused = [](const char* why) { return ThrowsMessage<Error>(HasSubstr(why)); };
    EXPECT_THAT([&] { verify(other, true); }, refused("it holds no run"));
    EXPECT_THAT([&] { verify(other / "model.safetensors", true); }, refused("no file of a run"));
    EXPECT_THAT([&] { verify(other / "absent", true); }, refused("no such file"));
    EXPECT_EQ(read_text(other / "model.safetensors"), "weights");
}

TEST_F(Verify, HistoryIsToldAsTextAndJson) {
    write(0, 1, 0, 12);
    write(1, 1, 0, 4);
    const RunHistory run = read_run(layout_.root);
    const std::string text = history_text(run);
    for (const char* part :
         {"island 0: 12 generations, 72 candidates, 1 part", "(2 earlier)",
          "best candidate 0:66: fitness 0.4512", "scores: ja/arithmetic 0.4512",
          "migrants: 3 sent, 3 accepted, 0 refused", "failed 2 times: the logits are not finite",
          "island 1: 4 generations", "best of all: 1:18", "start test"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(history_text(run, {.last_generations = 0}), Not(HasSubstr("earlier")));
    const auto json = nlohmann::json::parse(history_json(run));
    EXPECT_EQ(json["best"]["id"], "1:18");
    EXPECT_EQ(json["islands"][0]["generations"].size(), 12U);
    EXPECT_EQ(json["islands"][0]["candidates"][23]["status"], "failed");
    EXPECT_TRUE(json["islands"][0]["candidates"][23]["fitness"].is_null());
    EXPECT_EQ(json["islands"][0]["candidates"][6]["parents"][0], "0:0");
    EXPECT_EQ(json["islands"][0]["migrations"][1]["direction"], "accepted");
}

}  // namespace
}  // namespace galapagos
