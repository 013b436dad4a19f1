#include "base/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

enum class Colour { red, blue };

struct Settings {
    std::int64_t count = 3;
    int small = 7;
    double rate = 0.25;
    bool loud = false;
    std::string name = "x";
    Colour colour = Colour::red;
    std::vector<std::string> tasks;
    std::optional<double> target;
    std::int64_t depth = 1;
};

void visit_options(OptionVisitor& v, Settings& s) {
    v.option("count", s.count, {.help = "how many", .minimum = 0, .maximum = 10});
    v.whole("small", s.small, {.help = "a narrow integer"});
    v.option("rate", s.rate, {.help = "how often", .minimum = 0, .maximum = 1});
    v.option("loud", s.loud, {.help = "say more"});
    v.option("name", s.name, {.help = "a name", .required = true});
    v.choice("colour", s.colour, {"red", "blue"}, {.help = "which colour"});
    v.option("tasks", s.tasks, {.help = "files"});
    v.option("target", s.target, {.help = "stop here"});
    v.section("inner", "nested",
              [&](OptionVisitor& inner) { inner.option("depth", s.depth, {.help = "how deep"}); });
}

Settings read(const std::string& text) {
    Settings settings;
    read_options(YamlReader::from_text(text, "t.yaml"),
                 [&](OptionVisitor& v) { visit_options(v, settings); });
    return settings;
}

std::string refusal(const std::string& text) {
    try {
        read(text);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Options, ReadsAndWritesBack) {
    auto settings = read(
        "name: n\ncount: 5\nsmall: 9\nrate: 0.1\ncolour: blue\ntasks: a\ntarget: 0.3\ninner: "
        "{depth: 4}\n");
    EXPECT_EQ(settings.count, 5);
    EXPECT_EQ(settings.small, 9);
    EXPECT_EQ(settings.colour, Colour::blue);
    EXPECT_EQ(settings.tasks, std::vector<std::string>{"a"});
    EXPECT_EQ(settings.depth, 4);
    const auto node = write_options([&](OptionVisitor& v) { visit_options(v, settings); });
    const auto again = read(YAML::Dump(node));
    EXPECT_EQ(again.rate, 0.1);
    EXPECT_EQ(again.target, 0.3);
    EXPECT_EQ(again.depth, 4);
}

TEST(Options, RefusesWithPlaceAndHint) {
    EXPECT_THAT(refusal("count: 1"), HasSubstr("the key 'name' is missing"));
    EXPECT_THAT(refusal("name: a\ncuont: 1"),
                HasSubstr("t.yaml:2: cuont: refused (unknown key 'cuont') did you mean 'count'?"));
    EXPECT_THAT(refusal("name: a\ncount: 11"), HasSubstr("11 is above 10"));
    EXPECT_THAT(refusal("name: a\ncount: 1.5"), HasSubstr("whole number"));
    EXPECT_THAT(refusal("name: a\ncolour: bleu"), HasSubstr("did you mean 'blue'?"));
    EXPECT_THAT(refusal("name: a\ninner: {dept: 1}"), HasSubstr("inner.dept"));
    EXPECT_THAT(refusal("name: a\nname: b"), HasSubstr("occurs twice"));
    EXPECT_THAT(refusal("[1]"), HasSubstr("expected a map"));
}

TEST(Options, MakesASchemaAndHelp) {
    Settings settings;
    const auto visit = [&](OptionVisitor& v) { visit_options(v, settings); };
    const auto schema = schema_of_options(visit);
    EXPECT_EQ(schema["required"][0], "name");
    EXPECT_EQ(schema["properties"]["count"]["maximum"], 10.0);
    EXPECT_EQ(schema["properties"]["colour"]["enum"][1], "blue");
    EXPECT_EQ(schema["properties"]["inner"]["properties"]["depth"]["default"], 1);
    EXPECT_FALSE(schema["additionalProperties"]);
    EXPECT_THAT(describe_options(visit), HasSubstr("inner.depth"));
}

}  // namespace
}  // namespace galapagos
