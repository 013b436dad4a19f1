#include "task/answer.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "task/decimal.hpp"
#include "task/prompt_template.hpp"

namespace galapagos {
namespace {

bool same_number(std::string_view a, std::string_view b) {
    const auto left = parse_decimal(a);
    return left && left == parse_decimal(b);
}

TEST(Decimal, OneValueManyWritings) {
    for (const char* text : {"30", "30.0", "+30", "030", "30.", "3e1", "0.3E2", " 30\n", "３０",
                             "３０．０", "3000e-2"}) {
        EXPECT_TRUE(same_number(text, "30")) << text;
    }
    EXPECT_TRUE(same_number("1,234", "1234"));
    EXPECT_TRUE(same_number("1,234,567.50", "1234567.5"));
    EXPECT_TRUE(same_number("-0", "0.00"));
    EXPECT_TRUE(
        same_number("\u2212"
                    "5",
                    "-5"));
    EXPECT_TRUE(same_number(".5", "0.50"));
}

TEST(Decimal, DifferentValuesStayDifferent) {
    EXPECT_FALSE(same_number("30", "-30"));
    EXPECT_FALSE(same_number("30", "3"));
    EXPECT_FALSE(same_number("0.1", "0.10000000000000001"));
    EXPECT_FALSE(same_number("12345678901234567890", "12345678901234567891"));
}

TEST(Decimal, WhatIsNoNumber) {
    for (const char* text :
         {"",        " ",         "-",    ".",     "1,23", "12,3456", "1234,567",     ",123",
          "1,234,5", "30 apples", "$30",  "1.2.3", "e5",   "3e",      "1e9999999999", "--1",
          "1-",      "inf",       "0x10", "三"}) {
        EXPECT_FALSE(parse_decimal(text)) << text;
    }
}

TEST(Pattern, FirstAndLastMatch) {
    const Pattern pattern("(-?\\d+)(?: apples)?");
    EXPECT_EQ(pattern.group_count(), 1U);
    EXPECT_EQ(pattern.first("2 + 3 apples = 5", 1), "2");
    EXPECT_EQ(pattern.last("2 + 3 apples = -5", 1), "-5");
    EXPECT_EQ(pattern.last("2 + 3 apples", 0), "3 apples");
    EXPECT_EQ(pattern.first("none", 1), std::nullopt);
    EXPECT_EQ(pattern.last("", 1), std::nullopt);
}

TEST(Pattern, IsUnicode) {
    EXPECT_EQ(Pattern("答えは(\\d+)です").first("答えは４２です。", 1), "４２");
    EXPECT_EQ(Pattern("^.$").count("あ"), 1U);
    EXPECT_EQ(Pattern("(?i)é").count("É"), 1U);
}

TEST(Pattern, EmptyMatchesComeToAnEnd) {
    EXPECT_EQ(Pattern("x*").count("あxxい"), 4U);
    EXPECT_EQ(Pattern("x*").last("あxx", 0), "xx");
    EXPECT_EQ(Pattern("(?=(a))|b").last("ab", 1), "");
}

TEST(Pattern, EndlessBacktrackingIsNoMatch) {
    const std::string text = std::string(5000, 'a') + "b";
    EXPECT_EQ(Pattern("^(a+)+$").first(text, 0), std::nullopt);
    EXPECT_EQ(Pattern("^(a+)+$").remove_from(text), text);
}

TEST(Pattern, AnyGroupIsTheFirstThatHoldsSomething) {
    const Pattern number("(-?[$0-9.,]{2,})|(-?[0-9]+)");
    EXPECT_EQ(number.first("7 of 12", Pattern::any_group), "7");
    EXPECT_EQ(number.last("7 of 12.50", Pattern::any_group), "12.50");
    EXPECT_EQ(Pattern("(x*)(y*)(z)").first("yz", Pattern::any_group), "y");
    EXPECT_EQ(Pattern("(x*)z(y)?").first("z", Pattern::any_group), "");
    EXPECT_EQ(number.first("none", Pattern::any_group), std::nullopt);
}

// What Python's re.sub leaves of the same texts.
TEST(Pattern, RemovesItsMatches) {
    EXPECT_EQ(Pattern(",").remove_from("1,234,567"), "1234567");
    EXPECT_EQ(Pattern("\\.$").remove_from("3.5."), "3.5");
    EXPECT_EQ(Pattern("(?s).*#### ").remove_from("2 + 3\n#### 4\n#### 5"), "5");
    EXPECT_EQ(Pattern("|a").remove_from("baab"), "bb");
    EXPECT_EQ(Pattern("x*").remove_from("あxxいx"), "あい");
    EXPECT_EQ(Pattern("(?<=a)b").remove_from("abb"), "ab");
    EXPECT_EQ(Pattern(".*").remove_from("all of it"), "");
    EXPECT_EQ(Pattern("a").remove_from(""), "");
}

TEST(Pattern, MistakesAreTold) {
    try {
        Pattern("(unclosed");
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_NE(std::string(error.what()).find("(unclosed"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("at offset 9"), std::string::npos);
    }
}

TEST(Answer, PicksAndCompares) {
    AnswerSettings settings;
    EXPECT_EQ(find_answer("  yes \n", settings), "yes");
    EXPECT_TRUE(is_right("yes", " yes", settings));
    EXPECT_FALSE(is_right("Yes", "yes", settings));
    settings.ignore_case = true;
    EXPECT_TRUE(is_right("Yes", "yES", settings));
    settings.pattern = Pattern("\\d*\\.?\\d+");
    settings.which = AnswerSettings::Which::last;
    settings.comparison = AnswerSettings::Comparison::numeric;
    EXPECT_EQ(find_answer("1, 2 then 30.0.", settings), "30.0");
    EXPECT_EQ(find_answer("nothing", settings), std::nullopt);
    EXPECT_TRUE(is_right("30.0", "30", settings));
    EXPECT_FALSE(is_right("", "30", settings));
}

TEST(Answer, TrimsWhatItIsToldTo) {
    AnswerSettings settings;
    EXPECT_EQ(find_answer("\u3000yes\x1c", settings), "yes");
    settings.trim = AnswerSettings::Trim::answer;
    EXPECT_EQ(find_answer(" yes ", settings), "yes");
    EXPECT_FALSE(is_right("yes", " yes", settings));
    settings.trim = AnswerSettings::Trim::none;
    EXPECT_EQ(find_answer(" yes ", settings), " yes ");
    EXPECT_TRUE(is_right(" yes", " yes", settings));
}

TEST(Answer, RemovesFromAnswerAndTarget) {
    AnswerSettings settings;
    settings.remove = {Pattern(","), Pattern("^\\$"), Pattern("\\.$")};
    EXPECT_EQ(find_answer(" $1,234. ", settings), "1234");
    EXPECT_TRUE(is_right("1234", "1,234", settings));
    EXPECT_EQ(target_to_compare(" $5 ", settings), "5");
    settings.comparison = AnswerSettings::Comparison::numeric;
    EXPECT_TRUE(is_right("1234.0", "$1,234.", settings));
}

TEST(ScriptRule, CountsLettersOnly) {
    const ScriptRule japanese({"Hiragana", "Katakana", "Han"}, 0.5);
    EXPECT_TRUE(japanese.holds_for("答えは 42 (forty) です。ラーメン"));
    EXPECT_TRUE(japanese.holds_for("ーーa"));
    EXPECT_TRUE(japanese.holds_for("あa"));
    EXPECT_FALSE(japanese.holds_for("The answer is 四十二"));
    EXPECT_FALSE(japanese.holds_for("42!"));
    EXPECT_FALSE(japanese.holds_for(""));
    EXPECT_THROW(ScriptRule({"Klingon"}, 0.5), UsageError);
    EXPECT_THROW(ScriptRule({"Han}|."}, 0.5), UsageError);
}

TEST(PromptTemplate, FillsFieldsIn) {
    const nlohmann::json fields{{"a", "x{b}"}, {"n", 7}, {"f", 30.0}, {"t", true}, {"list", {1}}};
    const auto render = [&](const std::string& text) {
        return PromptTemplate(text, "file:1").render(fields, "items:2");
    };
    EXPECT_EQ(render("{a}-{n}-{f}-{t}"), "x{b}-7-30.0-true");
    EXPECT_EQ(render("{{\"k\": {n}}}"), "{\"k\": 7}");
    EXPECT_EQ(render(""), "");
    for (const char* text : {"{", "}", "{}", "{a", "a}b", "{a{n}}"}) {
        EXPECT_THROW(render(text), UsageError) << text;
    }
    for (const char* text : {"{missing}", "{list}"}) {
        EXPECT_THROW(render(text), UsageError) << text;
    }
}

}  // namespace
}  // namespace galapagos
