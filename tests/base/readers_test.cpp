#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/nearest.hpp"
#include "base/yaml.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Json, ReadsADocument) {
    const auto document = parse_json_strict(R"({"a": [1, 2.5, "x"], "b": {"c": null}})", "t.json");
    EXPECT_EQ(document["a"][2], "x");
    EXPECT_TRUE(document["b"]["c"].is_null());
}

TEST(Json, RefusesWhatIsNotStrict) {
    EXPECT_THAT(refusal([] { parse_json_strict(R"({"a": 1, "a": 2})", "t.json"); }),
                HasSubstr("'a' occurs twice"));
    EXPECT_THAT(refusal([] { parse_json_strict(R"({"x": {"a": 1, "a": 2}})", "t.json"); }),
                HasSubstr("'a' occurs twice"));
    EXPECT_THAT(refusal([] { parse_json_strict("{\"a\": 1", "t.json"); }),
                HasSubstr("t.json: not valid JSON"));
    EXPECT_THAT(refusal([] { parse_json_strict("{} x", "t.json"); }), HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal([] { parse_json_strict("\"\xff\"", "t.json"); }),
                HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal([] { parse_json_strict("", "t.json"); }), HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal([] { parse_json_strict(std::string_view("{}\0{", 4), "t.json"); }),
                HasSubstr("zero byte at 2"));
    EXPECT_THAT(
        refusal([] { parse_json_strict(std::string(100, '[') + std::string(100, ']'), "t.json"); }),
        HasSubstr("nested deeper"));
    EXPECT_THAT(refusal([] { parse_json_strict("[1, 2]", "t.json", {.bytes = 3}); }),
                HasSubstr("6 bytes"));
}

TEST(Yaml, NamesFileLineAndKey) {
    const auto root = YamlReader::from_text("a:\n  b: x\n  colour: [1, two]\n", "t.yaml");
    EXPECT_THAT(refusal([&] { root.at("a").at("b").as_double(); }),
                HasSubstr("t.yaml:2: a.b: refused (expected a number"));
    EXPECT_THAT(refusal([&] { root.at("a").at("colour").elements()[1].as_int(); }),
                HasSubstr("t.yaml:3: a.colour[1]"));
    EXPECT_THAT(refusal([&] { root.at("a").at("missing"); }),
                HasSubstr("the key 'missing' is missing"));
    EXPECT_THAT(refusal([&] {
                    root.at("a").allow_only({"b", "color"});
                }),
                HasSubstr("did you mean 'color'?"));
}

TEST(Yaml, RefusesWhatIsNotStrict) {
    EXPECT_THAT(refusal([] { YamlReader::from_text("a: 1\na: 2\n", "t.yaml").keys(); }),
                HasSubstr("'a' occurs twice"));
    EXPECT_THAT(refusal([] { YamlReader::from_text("a: [1", "t.yaml"); }),
                HasSubstr("not valid YAML"));
    EXPECT_THAT(refusal([] { YamlReader::from_text(std::string(10000, '['), "t.yaml"); }),
                HasSubstr("nested too deeply"));
}

TEST(Yaml, ReadsNumbers) {
    const auto root =
        YamlReader::from_text("a: 1e3\nb: 12\nc: -0.5\nd: yes\ne: 1.5\nf: '3'\n", "t.yaml");
    EXPECT_EQ(root.at("a").as_int(), 1000);
    EXPECT_EQ(root.at("b").as_int(), 12);
    EXPECT_EQ(root.at("c").as_double(), -0.5);
    EXPECT_TRUE(root.at("d").as_bool());
    EXPECT_THAT(refusal([&] { root.at("e").as_int(); }), HasSubstr("whole number"));
    EXPECT_TRUE(root.at("c").looks_like_number());
    EXPECT_FALSE(root.at("f").looks_like_number());
}

TEST(NearestName, FindsMisspellings) {
    const std::vector<std::string> names{"migration", "islands", "budget"};
    EXPECT_EQ(nearest_name("migraton", names), "migration");
    EXPECT_EQ(nearest_name("zzz", names), std::nullopt);
    EXPECT_EQ(name_hint("zzz", names), "known: migration, islands, budget");
}

}  // namespace
}  // namespace galapagos
