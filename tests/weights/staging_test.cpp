#include "weights/staging.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.hpp"
#include "base/json.hpp"
#include "support/tiny_models.hpp"
#include "weights/expect_error.hpp"
#include "weights/source.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::HasSubstr;

class StagingTest : public ::testing::Test {
  protected:
    StagingTest() {
        options_.tokenizer = true;
        options_.vocab = 266;
        options_.max_shard_bytes = 20'000;
        test::make_tiny_model(model_, options_);
    }

    Staging staging() const { return Staging(storage_, DigestMemo(folder_ / "memo")); }

    galapagos::testing::TemporaryFolder folder_;
    fs::path model_ = folder_ / "model", storage_ = folder_ / "storage";
    test::TinyModelOptions options_;
};

TEST_F(StagingTest, ACopyIsTheModelByteForByte) {
    const ModelFolder model(model_);
    ASSERT_GT(model.weight_files().size(), 1u);
    EXPECT_FALSE(staging().find(model));
    const fs::path home = staging().copy(model);
    EXPECT_EQ(staging().find(model), home);
    for (const auto& name : model.all_files())
        EXPECT_EQ(read_text(home / name), read_text(model_ / name)) << name;
    EXPECT_EQ(ModelFolder(home).tensor_names(), model.tensor_names());
    EXPECT_THAT(model.all_files(), ::testing::Contains("tokenizer.json"));
}

TEST_F(StagingTest, TheNextRunFindsTheCopyAndWritesNothing) {
    const ModelFolder model(model_);
    const fs::path home = staging().copy(model);
    const auto written = fs::last_write_time(home / "config.json");
    EXPECT_EQ(staging().copy(model), home);
    EXPECT_EQ(fs::last_write_time(home / "config.json"), written);
}

TEST_F(StagingTest, ADamagedCopyDoesNotCountAndIsMadeAnew) {
    const ModelFolder model(model_);
    const fs::path home = staging().copy(model);
    const fs::path shard = home / model.weight_files().back().path().filename();
    const std::string sound = read_text(shard);
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(~sound.back()));
    file.close();
    EXPECT_FALSE(staging().find(model));
    EXPECT_EQ(staging().copy(model), home);
    EXPECT_EQ(read_text(shard), sound);

    fs::remove(shard);
    EXPECT_FALSE(staging().find(model));
    staging().copy(model);
    EXPECT_EQ(read_text(shard), sound);
}

TEST_F(StagingTest, ATornManifestDoesNotCount) {
    const ModelFolder model(model_);
    const fs::path home = staging().copy(model);
    std::ofstream(home / "galapagos-staged.json") << "{\"config.json\": \"12";
    EXPECT_FALSE(staging().find(model));
    EXPECT_EQ(staging().copy(model), home);
    EXPECT_EQ(staging().find(model), home);
}

TEST_F(StagingTest, AChangedOriginalIsCopiedAnew) {
    const fs::path before = staging().copy(ModelFolder(model_));
    fs::remove_all(model_);
    options_.seed = 2;
    test::make_tiny_model(model_, options_);
    const ModelFolder changed(model_);
    EXPECT_FALSE(staging().find(changed));
    const fs::path after = staging().copy(changed);
    EXPECT_NE(after, before);
    const auto shard = changed.weight_files().front().path().filename();
    EXPECT_EQ(read_text(after / shard), read_text(model_ / shard));
}

TEST_F(StagingTest, StorageThatCannotBeWrittenIsAnErrorThatSaysWhatToDo) {
    std::ofstream(storage_) << "no folder";
    EXPECT_THAT(error_of([&] { staging().copy(ModelFolder(model_)); }), HasSubstr("node-local"));
}

TEST_F(StagingTest, ASourceReadsTheCopyUnderItsOwnName) {
    SourceOptions options;
    options.copy = staging().copy(ModelFolder(model_));
    const SourceSpec spec{"wren", model_, std::nullopt};
    const auto staged = Source::open(spec, options);
    const auto direct = Source::open(spec);
    EXPECT_EQ(staged->folder().folder(), options.copy);
    EXPECT_EQ(staged->spec().model, model_);
    EXPECT_EQ(staged->sha256(), direct->sha256());
}

}  // namespace
}  // namespace galapagos
