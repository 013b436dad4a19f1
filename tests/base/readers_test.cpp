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
                HasSubstr("nested deeper than 64 levels"));
}

TEST(Yaml, RefusesWhatCostsTooMuch) {
    const auto refused = [](const std::string& text) {
        return refusal([&] { YamlReader::from_text(text, "t.yaml"); });
    };
    std::string blocks, lists, bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (int level = 0; level < 100; ++level) {
        blocks += std::string(static_cast<std::size_t>(level), ' ') + "a:\n";
        lists += "- ";
    }
    EXPECT_THAT(refused(blocks), HasSubstr("t.yaml:65: refused (nested deeper than 64 levels"));
    EXPECT_THAT(refused(lists + "x"), HasSubstr("nested deeper than 64 levels"));
    for (char name = 'b'; name <= 'i'; ++name) {
        const std::string alias = std::string("*") + static_cast<char>(name - 1);
        bomb += std::string(1, name) + ": &" + name + " [";
        for (int i = 0; i < 9; ++i) bomb += alias + (i < 8 ? ", " : "]\n");
    }
    EXPECT_THAT(refused(bomb), HasSubstr("more than 100000 values, aliases followed"));
    EXPECT_THAT(refused("a: &a [*a]\n"), HasSubstr("stands for what it lies in"));
    EXPECT_THAT(refused("a: 1\n---\nb: 2\n"), HasSubstr("more than one YAML document"));
    const auto keys_refused = [](const std::string& text) {
        return refusal([&] { YamlReader::from_text(text, "t.yaml").keys(); });
    };
    EXPECT_THAT(keys_refused("a: 1\nb: 2\na: 3\n"), HasSubstr("t.yaml:3: refused (the key 'a'"));
    EXPECT_THAT(keys_refused("a: &a {x: 1}\n<<: *a\n"), HasSubstr("t.yaml:2: refused (keys of"));
    EXPECT_THAT(refused(std::string(2 << 20, 'x')), HasSubstr("2097152 bytes of YAML"));
    EXPECT_EQ(YamlReader::from_text("a: &a [1, 2]\nb: *a\n", "t.yaml").at("b").elements().size(),
              2U);
}

TEST(Cbor, IsReadAsStrictlyAsJson) {
    const nlohmann::json value{{"a", {1, 2.5, "x"}}, {"b", nullptr}};
    const auto bytes = nlohmann::json::to_cbor(value);
    const std::string text(bytes.begin(), bytes.end());
    EXPECT_EQ(parse_cbor_strict(text, "state"), value);
    const auto refused = [](const std::string& content) {
        return refusal([&] { parse_cbor_strict(content, "state"); });
    };
    EXPECT_THAT(refused(text.substr(0, text.size() - 1)), HasSubstr("state: not valid CBOR"));
    EXPECT_THAT(refused(text + "\1"), HasSubstr("state: not valid CBOR"));
    EXPECT_THAT(refused(std::string(100'000, '\x81')), HasSubstr("nested deeper than 64 levels"));
    EXPECT_THAT(refused(std::string("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")), HasSubstr("state: "));
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
