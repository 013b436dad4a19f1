#include "genome/gene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

const std::vector<Gene> genes = {
    Gene::real("weight", 0, 1.5, 0.7), Gene::integer("layer", -2, 3, 0),
    Gene::categorical("method", {"ties", "linear"}, 1), Gene::binary("normalize", true)};

TEST(Gene, KnowsItsValues) {
    EXPECT_EQ(genes[0].cardinality(), 0U);
    EXPECT_EQ(genes[1].cardinality(), 6U);
    EXPECT_EQ(genes[2].cardinality(), 2U);
    EXPECT_EQ(genes[3].cardinality(), 2U);
    EXPECT_EQ(initial_genome(genes), (Genome{0.7, 0, 1, 1}));
    EXPECT_NO_THROW(check_genes(genes));
    EXPECT_NO_THROW(check_genome(genes, initial_genome(genes)));
}

TEST(Gene, RefusesGenomesThatDoNotFit) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THAT(error_of([] { check_genome(genes, Genome{0.7, 0, 1}); }), HasSubstr("3 values"));
    EXPECT_THAT(error_of([] { check_genome(genes, Genome{1.6, 0, 1, 1}); }), HasSubstr("weight"));
    EXPECT_THAT(error_of([&] { check_genome(genes, Genome{nan, 0, 1, 1}); }), HasSubstr("finite"));
    EXPECT_THAT(error_of([] { check_genome(genes, Genome{0.7, 0.5, 1, 1}); }), HasSubstr("whole"));
    EXPECT_THAT(error_of([] { check_genome(genes, Genome{0.7, 0, 2, 1}); }), HasSubstr("method"));
    EXPECT_THAT(error_of([] {
                    check_genome(genes, Genome{0.7, 0, 1, -1});
                }),
                HasSubstr("normalize"));
}

TEST(Gene, RefusesGenesThatMakeNoSense) {
    const auto error = [](const Gene& gene) {
        return error_of([&] { check_genes(std::vector<Gene>{gene}); });
    };
    EXPECT_THAT(error(Gene::real("x", 1, 1, 1)), HasSubstr("not below"));
    EXPECT_THAT(error(Gene::real("x", 0, 1, 2)), HasSubstr("initial value"));
    EXPECT_THAT(error(Gene::real("", 0, 1, 0)), HasSubstr("no name"));
    EXPECT_THAT(error(Gene::integer("x", 3, 1, 2)), HasSubstr("not below"));
    EXPECT_THAT(error(Gene::categorical("x", {})), HasSubstr("choices"));
    EXPECT_THAT(error(Gene::categorical("x", {"a"}, 1)), HasSubstr("initial value"));
    EXPECT_EQ(error(Gene::categorical("x", {"a"})), "no error");
    EXPECT_THAT(error_of([] {
                    check_genes(std::vector<Gene>{Gene::binary("x"), Gene::binary("x")});
                }),
                HasSubstr("taken"));
}

TEST(Gene, HasAnEffectUnderItsConditionAlone) {
    std::vector<Gene> pair = {Gene::real("use", -1, 1, 0.5), Gene::real("scale", 0, 1, 0.5)};
    pair[1].condition = 0;
    EXPECT_NO_THROW(check_genes(pair));
    EXPECT_TRUE(pair[1].active_in(Genome{0.1, 0}));
    EXPECT_FALSE(pair[1].active_in(Genome{0, 1}));
    EXPECT_TRUE(pair[0].active_in(Genome{-1, 1}));
    pair[0].condition = 1;
    EXPECT_THAT(error_of([&] { check_genes(pair); }), HasSubstr("condition"));
    pair[0].condition = 2;
    EXPECT_THAT(error_of([&] { check_genes(pair); }), HasSubstr("condition"));
}

}  // namespace
}  // namespace galapagos
