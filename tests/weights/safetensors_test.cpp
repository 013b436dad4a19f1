#include "weights/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <fstream>

#include "base/random.hpp"
#include "support/temporary_folder.hpp"
#include "weights/expect_error.hpp"

namespace galapagos {
namespace {

using test::error_of;
using ::testing::HasSubstr;

constexpr const char* sound =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"e":{"dtype":"U8","shape":[0],"data_offsets":[26,26]}})";
constexpr std::uint64_t sound_bytes = 26;

/// A file's bytes: length, header, data.
std::string file_bytes(const std::string& header, const std::string& data) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
    return bytes + header + data;
}

class SafetensorsTest : public ::testing::Test {
  protected:
    std::filesystem::path save(const std::string& bytes) const {
        const auto path = folder_ / "x.safetensors";
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

    galapagos::testing::TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, ReadsTensorsAndMetadata) {
    std::string data(sound_bytes, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i);
    const SafetensorsFile file(save(file_bytes(sound, data)));
    EXPECT_EQ(file.entries().size(), 3u);
    EXPECT_EQ(file.metadata().at("format"), "pt");
    EXPECT_EQ(file.tensor("a").shape, (Shape{2, 3}));
    EXPECT_EQ(file.tensor("b").dtype, DType::bf16);
    EXPECT_EQ(file.tensor("b").numel(), 1);
    EXPECT_EQ(std::to_integer<int>(file.tensor("b").data[1]), 25);
    EXPECT_EQ(file.tensor("e").bytes(), 0u);
    EXPECT_FALSE(file.has("c"));
    EXPECT_THAT(error_of([&] { file.tensor("c"); }), HasSubstr("no tensor 'c'"));
}

TEST_F(SafetensorsTest, ViewsSurviveAMove) {
    SafetensorsFile file(save(file_bytes(sound, std::string(sound_bytes, 'x'))));
    const TensorView view = file.tensor("a");
    const SafetensorsFile moved = std::move(file);
    EXPECT_EQ(moved.tensor("a").data, view.data);
}

TEST_F(SafetensorsTest, KnowsThePointerOfGitLfs) {
    save("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 26\n");
    EXPECT_THAT(error_of([&] { SafetensorsFile(folder_ / "x.safetensors"); }),
                HasSubstr("git lfs pull"));
}

TEST_F(SafetensorsTest, RefusesBrokenFrames) {
    const auto message = [&](const std::string& bytes) {
        return error_of([&] { SafetensorsFile{save(bytes)}; });
    };
    EXPECT_THAT(message(""), HasSubstr("too few"));
    EXPECT_THAT(message("1234567"), HasSubstr("7 bytes are too few"));
    EXPECT_THAT(message(std::string(8, '\xFF')), HasSubstr("more than the 100000000 allowed"));
    EXPECT_THAT(message(std::string("\x10\0\0\0\0\0\0\0{}", 10)), HasSubstr("but the file has 10"));
    const std::string whole = file_bytes(sound, std::string(sound_bytes, 'x'));
    EXPECT_THAT(message(whole.substr(0, whole.size() - 1)), HasSubstr("25 bytes of data"));
    EXPECT_THAT(message(whole + "x"), HasSubstr("the tensors end at byte 26 of 27"));
    EXPECT_THAT(error_of([&] { SafetensorsFile{folder_.path()}; }),
                HasSubstr("not a regular file"));
    EXPECT_THAT(error_of([&] { SafetensorsFile{folder_ / "absent"}; }), HasSubstr("absent"));
}

struct BadHeader {
    const char* name;
    std::string header;
    std::uint64_t data_bytes;
    const char* message;
};

std::string one_tensor(const std::string& fields) { return R"({"t":{)" + fields + "}}"; }

std::string named(const std::string& name) {
    return "{\"" + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
}

const std::vector<BadHeader>& bad_headers() {
    static const std::string f4 = R"("dtype":"F32","shape":[1],)";
    static const std::string two =
        R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":)";
    static const std::vector<BadHeader> cases = {
        {"empty", "", 0, "does not begin with '{'"},
        {"leading_space", " {}", 0, "does not begin with '{'"},
        {"byte_order_mark", "\xEF\xBB\xBF{}", 0, "does not begin with '{'"},
        {"array", "[]", 0, "does not begin with '{'"},
        {"trailing_newline", "{}\n", 0, "something other than spaces"},
        {"trailing_nul", std::string("{}\0", 3), 0, "NUL"},
        {"nul_between", std::string("{}\0}", 4), 0, "NUL"},
        {"two_documents", "{}{}", 0, "not valid JSON"},
        {"cut_short", R"({"__metadata__":{})", 0, "not valid JSON"},
        {"bad_utf8", named("\xC0\x80"), 1, "not valid JSON"},
        {"lone_surrogate", named("\\ud800"), 1, "not valid JSON"},
        {"control_character", named("a\\u0001"), 1, "control character"},
        {"nul_in_name", named("a\\u0000"), 1, "control character"},
        {"empty_name", named(""), 1, "empty name"},
        {"long_name", named(std::string(5000, 'n')), 1, "longer than 4096"},
        {"tensor_is_a_number", R"({"a":1})", 0, "'a' is the number 1 and not an object"},
        {"tensor_is_null", R"({"a":null})", 0, "'a' is null"},
        {"duplicate_tensor",
         R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
         2, "the tensor name 'a' occurs twice"},
        {"duplicate_escaped",
         R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
         0, "the tensor name 'a' occurs twice"},
        {"duplicate_field",
         one_tensor(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])"), 4,
         "tensor 't': the key 'dtype' occurs twice"},
        {"duplicate_metadata", R"({"__metadata__":{},"__metadata__":{}})", 0,
         "'__metadata__' occurs twice"},
        {"duplicate_metadata_key", R"({"__metadata__":{"k":"1","k":"2"}})", 0,
         "the key 'k' occurs twice"},
        {"metadata_number", R"({"__metadata__":{"k":1}})", 0, "__metadata__ 'k' is the number 1"},
        {"metadata_nested", R"({"__metadata__":{"k":{}}})", 0, "__metadata__ 'k' is an object"},
        {"unknown_field", one_tensor(f4 + R"("data_offsets":[0,4],"x":1)"), 4, "unknown key 'x'"},
        {"no_dtype", one_tensor(R"("shape":[1],"data_offsets":[0,4])"), 4, "dtype is missing"},
        {"no_shape", one_tensor(R"("dtype":"F32","data_offsets":[0,4])"), 4, "shape is missing"},
        {"no_offsets", one_tensor(R"("dtype":"F32","shape":[1])"), 4, "data_offsets is missing"},
        {"unknown_dtype", one_tensor(R"("dtype":"F4","shape":[1],"data_offsets":[0,4])"), 4,
         "dtype 'F4'"},
        {"torch_dtype", one_tensor(R"("dtype":"float32","shape":[1],"data_offsets":[0,4])"), 4,
         "dtype 'float32'"},
        {"dtype_number", one_tensor(R"("dtype":1,"shape":[1],"data_offsets":[0,4])"), 4,
         "has no place in dtype"},
        {"negative_size", one_tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4,
         "negative number -1"},
        {"float_size", one_tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), 4,
         "no integer"},
        {"exponent", one_tensor(R"("dtype":"F32","shape":[1e0],"data_offsets":[0,4])"), 4,
         "no integer"},
        {"huge_size",
         one_tensor(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4])"), 4,
         "no integer"},
        {"size_over_int64",
         one_tensor(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4])"), 4,
         "exceeds 2^63"},
        {"overflow",
         one_tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0,
         "overflows"},
        {"overflow_by_element",
         one_tensor(R"("dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0])"), 0,
         "overflows"},
        {"many_dimensions",
         one_tensor(
             R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1])"),
         1, "more than 16 dimensions"},
        {"nested_shape", one_tensor(R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])"), 4,
         "an array"},
        {"shape_object", one_tensor(R"("dtype":"F32","shape":{},"data_offsets":[0,4])"), 4,
         "an object"},
        {"shape_string", one_tensor(R"("dtype":"F32","shape":"1","data_offsets":[0,4])"), 4,
         "the string"},
        {"one_offset", one_tensor(f4 + R"("data_offsets":[0])"), 4, "needs two numbers"},
        {"three_offsets", one_tensor(f4 + R"("data_offsets":[0,4,4])"), 4, "more than two"},
        {"reversed_offsets", one_tensor(f4 + R"("data_offsets":[4,0])"), 4,
         "end before they begin"},
        {"wrong_size", one_tensor(f4 + R"("data_offsets":[0,8])"), 8,
         "takes 4 bytes, but data_offsets span 8"},
        {"past_the_end", one_tensor(f4 + R"("data_offsets":[0,4])"), 3,
         "end at 4, but the file has 3"},
        {"far_past_the_end",
         one_tensor(f4 + R"("data_offsets":[18446744073709551608,18446744073709551612])"), 4,
         "hole"},
        {"overlap", two + "[2,6]}}", 6, "overlap"},
        {"alias", two + "[0,4]}}", 4, "overlap"},
        {"hole", two + "[5,9]}}", 9, "tensor 'b': data_offsets begin at 5 where 4 is due (hole)"},
        {"hole_at_the_start", one_tensor(f4 + R"("data_offsets":[4,8])"), 8, "hole"},
        {"left_over", one_tensor(f4 + R"("data_offsets":[0,4])"), 5, "end at byte 4 of 5"},
        {"deep", std::string(100'000, '{') + std::string(100'000, '}'), 0, "not valid JSON"},
        {"deep_arrays",
         R"({"t":{"shape":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}}", 0,
         "an array"},
    };
    return cases;
}

class BadHeaderTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(BadHeaderTest, IsRefusedWithTheReason) {
    const BadHeader& bad = bad_headers()[GetParam()];
    const std::string message =
        error_of([&] { parse_safetensors_header(bad.header, bad.data_bytes, "f.safetensors"); });
    EXPECT_THAT(message, HasSubstr(bad.message));
    EXPECT_THAT(message, HasSubstr("f.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(All, BadHeaderTest, ::testing::Range<std::size_t>(0, bad_headers().size()),
                         [](const auto& info) {
                             return std::string(bad_headers()[info.param].name);
                         });

TEST(SafetensorsHeader, RefusesTooManyTensors) {
    std::string header = "{";
    for (int i = 0; i <= 100'000; ++i) {
        header += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
    }
    header.back() = '}';
    EXPECT_THAT(error_of([&] { parse_safetensors_header(header, 0, "f"); }),
                HasSubstr("more than 100000 tensors"));
}

TEST(SafetensorsHeader, AcceptsOddButSoundHeaders) {
    EXPECT_TRUE(parse_safetensors_header("{}", 0, "f").entries.empty());
    EXPECT_TRUE(parse_safetensors_header("{}     ", 0, "f").entries.empty());
    const auto header = parse_safetensors_header(sound, sound_bytes, "f");
    EXPECT_EQ(header.entries.size(), 3u);
    const auto again = parse_safetensors_header(
        write_safetensors_header(header.entries, header.metadata), sound_bytes, "f");
    EXPECT_EQ(again.entries.size(), 3u);
    EXPECT_EQ(again.metadata, header.metadata);
}

/// Whatever bytes are damaged, the result is a sound header or an Error, never a crash.
TEST(SafetensorsHeader, SurvivesRandomDamage) {
    RandomStream random(11, 0, Purpose::test, 0);
    const std::string alphabet = "{}[]\",:0123456789eE+-. \\u\0\xFF\xC3tfn";
    int refused = 0;
    for (int trial = 0; trial < 20'000; ++trial) {
        std::string header = sound;
        const auto edits = 1 + random.below(3);
        for (std::uint64_t edit = 0; edit < edits; ++edit) {
            const auto position = random.below(header.size());
            const char replacement = alphabet[random.below(alphabet.size())];
            switch (random.below(3)) {
                case 0:
                    header[position] = replacement;
                    break;
                case 1:
                    header.erase(position, 1 + random.below(8));
                    break;
                default:
                    header.insert(position, 1, replacement);
                    break;
            }
        }
        try {
            const auto parsed = parse_safetensors_header(header, sound_bytes, "f");
            std::uint64_t total = 0;
            for (const auto& entry : parsed.entries) {
                total +=
                    static_cast<std::uint64_t>(element_count(entry.shape)) * size_of(entry.dtype);
            }
            ASSERT_EQ(total, sound_bytes);
        } catch (const Error&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace galapagos
