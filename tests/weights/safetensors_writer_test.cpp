#include "weights/safetensors_writer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"
#include "weights/expect_error.hpp"
#include "weights/safetensors.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> listing(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::byte> filled(std::size_t bytes, int value) {
    return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

const std::vector<TensorSpec> three = {
    {"a", DType::u8, {3}}, {"b", DType::f32, {2, 2}}, {"c", DType::bf16, {4}}};

void write_three(SafetensorsWriter& writer) {
    writer.write("c", filled(8, 3));
    writer.write("a", filled(3, 1));
    writer.write("b", filled(16, 2));
}

TEST(SafetensorsWriter, WritesOneFileInAnyOrder) {
    const galapagos::testing::TemporaryFolder folder;
    SafetensorsWriterOptions options;
    options.metadata = {{"format", "pt"}, {"note", "\"quoted\""}};
    SafetensorsWriter writer(folder.path(), three, options);
    write_three(writer);
    EXPECT_FALSE(fs::exists(folder / "model.safetensors"));
    writer.finish();
    EXPECT_THAT(listing(folder.path()), ElementsAre("model.safetensors"));
    EXPECT_THAT(writer.files(), ElementsAre(folder / "model.safetensors"));

    const SafetensorsFile file(folder / "model.safetensors");
    EXPECT_EQ(file.metadata(), options.metadata);
    EXPECT_EQ(file.tensor("b").shape, (Shape{2, 2}));
    for (const auto& [name, value] : {std::pair{"a", 1}, {"b", 2}, {"c", 3}}) {
        for (const std::byte byte : file.tensor(name).span())
            EXPECT_EQ(std::to_integer<int>(byte), value);
    }
    // Wide types come first, so everything is aligned.
    EXPECT_EQ(file.entries().front().name, "b");
    EXPECT_EQ(file.entries().back().name, "a");
}

TEST(SafetensorsWriter, FilesHaveNormalPermissions) {
    const galapagos::testing::TemporaryFolder folder;
    const mode_t mask = ::umask(022);
    SafetensorsWriter writer(folder.path(), three);
    write_three(writer);
    writer.finish();
    ::umask(mask);
    struct stat status {};
    ASSERT_EQ(::stat((folder / "model.safetensors").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0644u);
}

TEST(SafetensorsWriter, CutsShardsAndWritesTheIndex) {
    const galapagos::testing::TemporaryFolder folder;
    SafetensorsWriterOptions options;
    options.max_shard_bytes = 19;
    SafetensorsWriter writer(folder.path(), three, options);
    write_three(writer);
    writer.finish();
    EXPECT_THAT(listing(folder.path()),
                ElementsAre("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                            "model.safetensors.index.json"));
    const auto index = nlohmann::json::parse(read_text(folder / "model.safetensors.index.json"));
    EXPECT_EQ(index["metadata"]["total_size"], 27);
    EXPECT_EQ(index["weight_map"]["a"], "model-00001-of-00002.safetensors");
    EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00002.safetensors");
    EXPECT_TRUE(SafetensorsFile(folder / "model-00001-of-00002.safetensors").has("b"));
}

TEST(SafetensorsWriter, LeavesNothingBehindUnlessFinished) {
    const galapagos::testing::TemporaryFolder folder;
    {
        SafetensorsWriter writer(folder.path(), three);
        writer.write("a", filled(3, 1));
        EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("tensor 'b' was never written"));
    }
    EXPECT_TRUE(listing(folder.path()).empty());
}

/// A limit on file sizes stands in for a full disk.
TEST(SafetensorsWriter, ReportsMissingSpaceBeforeAnyWork) {
    const galapagos::testing::TemporaryFolder folder;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{4096, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string message = error_of([&] {
        SafetensorsWriter(folder.path(), {{"a", DType::u8, {100'000}}});
    });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_THAT(message, HasSubstr("can't write (File too large)"));
    EXPECT_TRUE(listing(folder.path()).empty());
}

TEST(SafetensorsWriter, RefusesMisuse) {
    const galapagos::testing::TemporaryFolder folder;
    SafetensorsWriter writer(folder.path(), three);
    EXPECT_THAT(error_of([&] { writer.write("x", {}); }), HasSubstr("not declared"));
    EXPECT_THAT(error_of([&] { writer.write("a", filled(2, 0)); }),
                HasSubstr("2 bytes given, 3 declared"));
    writer.write("a", filled(3, 0));
    EXPECT_THAT(error_of([&] { writer.write("a", filled(3, 0)); }), HasSubstr("written before"));
    EXPECT_THAT(error_of([&] {
                    SafetensorsWriter(folder.path(), {three[0], three[0]});
                }),
                HasSubstr("called 'a'"));
    EXPECT_THAT(error_of([&] { SafetensorsWriter(folder / "absent", three); }),
                HasSubstr("can't create"));
}

TEST(SafetensorsWriter, RefusesAFolderThatHoldsWeights) {
    for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
        const galapagos::testing::TemporaryFolder folder;
        std::ofstream(folder / name) << "old";
        EXPECT_THAT(error_of([&] { SafetensorsWriter(folder.path(), three); }),
                    HasSubstr("exists already"));
        EXPECT_THAT(listing(folder.path()), ElementsAre(name));
    }
}

TEST(SafetensorsWriter, TakesTensorsFromSeveralThreads) {
    const galapagos::testing::TemporaryFolder folder;
    std::vector<TensorSpec> specs;
    for (int i = 0; i < 64; ++i) specs.push_back({fmt::format("t{}", i), DType::u8, {1000 + i}});
    SafetensorsWriter writer(folder.path(), specs);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = t; i < 64; i += 4)
                writer.write(specs[i].name, filled(specs[i].bytes(), i));
        });
    }
    for (auto& thread : threads) thread.join();
    writer.finish();
    const SafetensorsFile file(folder / "model.safetensors");
    for (int i = 0; i < 64; ++i) {
        const TensorView view = file.tensor(specs[i].name);
        EXPECT_EQ(view.numel(), 1000 + i);
        EXPECT_EQ(std::to_integer<int>(view.data[999]), i);
    }
}

}  // namespace
}  // namespace galapagos
