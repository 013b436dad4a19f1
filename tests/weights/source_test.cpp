#include "weights/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "support/tiny_models.hpp"
#include "weights/adapter.hpp"
#include "weights/digest_memo.hpp"
#include "weights/expect_error.hpp"
#include "weights/finite.hpp"

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
    fs::create_directories(folder_ / "a+b");
    const std::string folder = (folder_ / "a+b").string();
    EXPECT_EQ(parse_source_reference(folder).model, folder);
    EXPECT_EQ(parse_source_reference(folder + "+c+d").adapter, fs::path("c+d"));
    EXPECT_EQ(parse_source_reference(std::string(1 << 20, '+').replace(0, 1, "a")).model, "a");
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

TEST_F(SourceTest, TokensCanBeLeftOut) {
    for (const auto& adapter : {spec_.adapter, std::optional<fs::path>()}) {
        spec_.adapter = adapter;
        options_.tokens = 0;
        const auto whole = Source::open(spec_, options_);
        options_.tokens = 50;
        const auto cut = Source::open(spec_, options_);
        EXPECT_EQ(token_count(*whole), 64);
        EXPECT_EQ(token_count(*cut), 50);
        EXPECT_EQ(cut->config().at("vocab_size"), 50);
        EXPECT_EQ(cut->sha256(), whole->sha256());
        EXPECT_THAT(remark_on_tokens(*cut), HasSubstr("the last 14 of its 64 tokens"));
        EXPECT_EQ(remark_on_tokens(*whole), "");
        for (const auto& name : whole->tensor_names()) {
            const auto all = whole->tensor(name), kept = cut->tensor(name);
            const bool rows = name == "model.embed_tokens.weight" || name == "lm_head.weight";
            EXPECT_EQ(kept.shape[0], rows ? 50 : all.shape[0]) << name;
            EXPECT_EQ(std::memcmp(kept.data, all.data, kept.bytes()), 0) << name;
        }
        options_.tokens = 65;
        EXPECT_EQ(token_count(*Source::open(spec_, options_)), 64);
    }
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

/// A tensor of 3000 x 5 ones (several blocks of the scan) whose bits at [row, column] are replaced.
template <typename Word>
std::optional<std::int64_t> scan(DType dtype, Word one, Word other, std::size_t index) {
    std::vector<Word> words(3000 * 5 + 1, one);
    words[index] = other;
    // Off alignment, as in a mapped file.
    std::vector<std::byte> bytes(words.size() * sizeof(Word) + 1);
    std::memcpy(bytes.data() + 1, words.data(), words.size() * sizeof(Word));
    return first_not_finite({bytes.data() + 1, dtype, {3000, 5}});
}

TEST(Finite, FindsTheFirstNanOrInfinityOfEveryType) {
    for (const std::size_t at : {0, 4095, 4096, 14999}) {
        const auto index = std::optional<std::int64_t>(static_cast<std::int64_t>(at));
        EXPECT_EQ(scan<std::uint32_t>(DType::f32, 0x3F800000, 0xFF800000, at), index);
        EXPECT_EQ(scan<std::uint32_t>(DType::f32, 0x3F800000, 0x7F800001, at), index);
        EXPECT_EQ(scan<std::uint32_t>(DType::f32, 0x3F800000, 0x7F7FFFFF, at), std::nullopt);
        EXPECT_EQ(scan<std::uint16_t>(DType::bf16, 0x3F80, 0x7FC0, at), index);
        EXPECT_EQ(scan<std::uint16_t>(DType::bf16, 0x3F80, 0xFF7F, at), std::nullopt);
        EXPECT_EQ(scan<std::uint16_t>(DType::f16, 0x3C00, 0x7C00, at), index);
        EXPECT_EQ(scan<std::uint16_t>(DType::f16, 0x3C00, 0x7BFF, at), std::nullopt);
        EXPECT_EQ(scan<std::uint64_t>(DType::f64, 0, 0x7FF8000000000000, at), index);
    }
    EXPECT_EQ(scan<std::uint16_t>(DType::bf16, 0x3F80, 0x7FC0, 15000), std::nullopt);  // beyond it
    EXPECT_EQ(scan<std::uint16_t>(DType::i16, 0x7FC0, 0x7FC0, 0), std::nullopt);
    EXPECT_EQ(first_not_finite({nullptr, DType::f32, {0, 4}}), std::nullopt);
}

TEST_F(SourceTest, NamesTheTensorThatIsNotFinite) {
    spec_.adapter.reset();
    check_finite(*Source::open(spec_, options_));
    const auto file = spec_.model / "model.safetensors";
    const SafetensorsFile weights(file);
    const auto tensor = weights.tensor("model.layers.1.mlp.up_proj.weight");
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const auto start = tensor.data - weights.tensor(weights.entries().front()).data;
    const auto header = static_cast<std::ptrdiff_t>(fs::file_size(file)) -
                        static_cast<std::ptrdiff_t>(weights.entries().back().end);
    std::fstream(file, std::ios::binary | std::ios::in | std::ios::out)
        .seekp(header + start + 4 * (2 * tensor.shape[1] + 3))
        .write(reinterpret_cast<const char*>(&nan), sizeof nan);
    EXPECT_THAT(error_of([&] { check_finite(*Source::open(spec_, options_)); }),
                HasSubstr("s: refused (tensor 'model.layers.1.mlp.up_proj.weight' holds NaN or "
                          "infinity, first at [2, 3])"));
}

}  // namespace
}  // namespace galapagos
