#include "weights/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "support/tiny_models.hpp"
#include "weights/adapter.hpp"
#include "weights/digest_memo.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using ::testing::HasSubstr;

class SourceTest : public ::testing::Test {
  protected:
    SourceTest() {
        spec_.name = "s";
        spec_.model = test::make_tiny_model(folder_ / "base", model_);
        spec_.adapter = test::make_tiny_adapter(folder_ / "adapter", model_);
        options_.cache_folder = folder_ / "cache";
    }

    std::vector<fs::path> cached() const {
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(folder_ / "cache")) {
            if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
        }
        return files;
    }

    galapagos::testing::TemporaryFolder folder_;
    test::TinyModelOptions model_;
    SourceSpec spec_;
    SourceOptions options_;
};

TEST_F(SourceTest, ReferencesSplitAtThePlus) {
    const auto both = parse_source_reference("models/a+adapters/b");
    EXPECT_EQ(both.model, "models/a");
    EXPECT_EQ(both.adapter, fs::path("adapters/b"));
    EXPECT_EQ(both.name, "models/a+adapters/b");
    EXPECT_FALSE(parse_source_reference("models/a").adapter);
    for (const char* bad : {"", "+b", "a+"}) EXPECT_THROW(parse_source_reference(bad), UsageError);
}

TEST_F(SourceTest, WithoutAnAdapterItIsTheFolder) {
    spec_.adapter.reset();
    const auto source = Source::open(spec_, options_);
    EXPECT_EQ(source->tensor_names(), ModelFolder(spec_.model).tensor_names());
    EXPECT_EQ(source->tensor("model.norm.weight").data,
              source->folder().tensor("model.norm.weight").data);
    EXPECT_FALSE(fs::exists(options_.cache_folder)) << "opening must not write anything";
}

TEST_F(SourceTest, TheCacheHoldsOnlyChangedTensors) {
    const auto source = Source::open(spec_, options_);
    const Adapter adapter(*spec_.adapter, source->folder());
    ASSERT_EQ(cached().size(), 1u);
    EXPECT_EQ(SafetensorsFile(cached()[0]).entries().size(), adapter.changed_tensors().size());
    for (const auto& name : source->tensor_names()) {
        const auto seen = source->tensor(name);
        const auto stored = source->folder().tensor(name);
        const bool changed = seen.data != stored.data;
        EXPECT_EQ(changed, name.ends_with("q_proj.weight") || name.ends_with("v_proj.weight"))
            << name;
        if (!changed) continue;
        const auto expected = adapter.adapted(name);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), seen.data)) << name;
    }
}

TEST_F(SourceTest, TheCacheIsReusedAndKeyedByContent) {
    Source::open(spec_, options_);
    ASSERT_EQ(cached().size(), 1u);
    const auto made = fs::last_write_time(cached()[0]);
    Source::open(spec_, options_);
    EXPECT_EQ(fs::last_write_time(cached()[0]), made);

    // The same contents elsewhere find the same file; another adapter makes another.
    fs::copy(folder_ / "adapter", folder_ / "moved");
    spec_.adapter = folder_ / "moved";
    Source::open(spec_, options_);
    EXPECT_EQ(cached().size(), 1u);
    test::TinyAdapterOptions other;
    other.seed = 99;
    spec_.adapter = test::make_tiny_adapter(folder_ / "other", model_, other);
    Source::open(spec_, options_);
    EXPECT_EQ(cached().size(), 2u);
}

TEST_F(SourceTest, ADamagedCacheFileIsMadeAnew) {
    const auto first = Source::open(spec_, options_);
    const fs::path file = cached()[0];
    const std::string sound = read_text(file);
    fs::remove(file);
    std::ofstream(file) << sound.substr(0, sound.size() / 2);
    const auto second = Source::open(spec_, options_);
    EXPECT_EQ(read_text(file), sound);
}

TEST_F(SourceTest, ConcurrentProcessesShareTheWork) {
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            set_thread_count(1);  // the worker threads stayed behind in the parent
            try {
                const auto source = Source::open(spec_, options_);
                ::_exit(source->tensor("model.layers.0.self_attn.q_proj.weight").data != nullptr
                            ? 0
                            : 1);
            } catch (...) {
                ::_exit(2);
            }
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(cached().size(), 1u);
    for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
        EXPECT_NE(entry.path().extension(), ".tmp");
    }
}

TEST_F(SourceTest, TheDigestNamesTheContent) {
    const auto digest_of = [&](const SourceSpec& spec) {
        return Source::open(spec, options_)->sha256();
    };
    const std::string adapted = digest_of(spec_);
    EXPECT_EQ(adapted.size(), 64u);
    EXPECT_EQ(digest_of(spec_), adapted);
    SourceSpec plain = spec_;
    plain.adapter.reset();
    EXPECT_NE(digest_of(plain), adapted);
    const std::string before = digest_of(plain);
    fs::remove_all(folder_ / "base");
    model_.seed = 2;
    test::make_tiny_model(folder_ / "base", model_);
    EXPECT_NE(digest_of(plain), before);
}

TEST_F(SourceTest, ACacheThatCannotBeMadeIsAClearError) {
    std::ofstream(folder_ / "file") << "x";
    options_.cache_folder = folder_ / "file/cache";
    EXPECT_THAT(error_of([&] { Source::open(spec_, options_); }), HasSubstr("GALAPAGOS_CACHE"));
    spec_.adapter.reset();
    EXPECT_EQ(Source::open(spec_, options_)->sha256().size(), 64u);
}

TEST_F(SourceTest, ASharedCacheFolderIsRefused) {
    fs::permissions(folder_.path(), fs::perms::all);
    fs::create_directory(options_.cache_folder);
    fs::permissions(options_.cache_folder, fs::perms::all);
    EXPECT_THAT(error_of([&] { Source::open(spec_, options_); }),
                HasSubstr("others may write to it"));
    fs::remove(options_.cache_folder);
    Source::open(spec_, options_);
    EXPECT_EQ(fs::status(options_.cache_folder).permissions(), fs::perms::owner_all);
}

TEST(DigestMemo, RemembersSettledFilesOnly) {
    const galapagos::testing::TemporaryFolder folder;
    const DigestMemo memo(folder / "memo");
    std::ofstream(folder / "f") << "one";
    EXPECT_EQ(memo.digest(folder / "f"), sha256_hex(std::string_view("one")));
    EXPECT_FALSE(fs::exists(folder / "memo"))
        << "a fresh file may change again within a clock tick";
    std::ofstream(folder / "f") << "two";
    EXPECT_EQ(memo.digest(folder / "f"), sha256_hex(std::string_view("two")));

    ::sleep(2);
    EXPECT_EQ(memo.digest(folder / "f"), sha256_hex(std::string_view("two")));
    ASSERT_TRUE(fs::exists(folder / "memo"));
    fs::path note;
    for (const auto& entry : fs::directory_iterator(folder / "memo/digests")) {
        if (entry.path().extension() != ".lock") note = entry.path();
    }
    const std::string planted(64, 'a');
    std::ofstream(note) << planted;
    EXPECT_EQ(memo.digest(folder / "f"), planted) << "the note is what is read";
    std::ofstream(note) << "rubbish";
    EXPECT_EQ(memo.digest(folder / "f"), sha256_hex(std::string_view("two")));
    std::ofstream(folder / "f") << "three";
    EXPECT_EQ(memo.digest(folder / "f"), sha256_hex(std::string_view("three")));
}

TEST(CacheFolder, FollowsTheEnvironment) {
    ::setenv("GALAPAGOS_CACHE", "/some/where", 1);
    EXPECT_EQ(default_cache_folder(), "/some/where");
    ::unsetenv("GALAPAGOS_CACHE");
    ::setenv("XDG_CACHE_HOME", "/home/x/.cache", 1);
    EXPECT_EQ(default_cache_folder(), "/home/x/.cache/galapagos");
    ::unsetenv("XDG_CACHE_HOME");
    EXPECT_THAT(default_cache_folder().filename().string(), HasSubstr("galapagos-"));
}

}  // namespace
}  // namespace galapagos
