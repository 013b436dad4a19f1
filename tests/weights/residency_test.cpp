#include "weights/residency.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t gib = std::size_t{1} << 30;
constexpr ResidencyNeeds needs{40 * gib, 14 * gib, 6 * gib, gib / 2, gib / 4, gib / 4};

TEST(Residency, SourcesLieOnTheDeviceWhereAllFitBesideEachOther) {
    const ResidencyChoice exact = choose_residency(needs, {61 * gib, 0});
    EXPECT_EQ(exact.residency, Residency::device);
    EXPECT_EQ(
        exact.why,
        "The sources (40.00 GiB) lie in the GPU's memory, which has room for 40.00 GiB beside "
        "candidate 14.00 GiB, decoder 6.00 GiB, statistics 0.50 GiB, tables 0.25 GiB, libraries "
        "0.25 "
        "GiB.");
}

TEST(Residency, SourcesThatDoNotFitOnTheDeviceArePinnedWhereTheHostHasRoom) {
    const ResidencyChoice choice = choose_residency(needs, {61 * gib - 1, 40 * gib});
    EXPECT_EQ(choice.residency, Residency::pinned_host);
    EXPECT_THAT(choice.why, AllOf(HasSubstr("pinned memory of the host, since the GPU's memory has "
                                            "room for 40.00 GiB beside candidate"),
                                  testing::EndsWith(".")));
}

TEST(Residency, MergesOverlapWhereTheSourcesArePinnedAndASecondCandidateFits) {
    const ResidencyChoice two = choose_residency(needs, {35 * gib, 40 * gib});
    EXPECT_EQ(two.residency, Residency::pinned_host);
    EXPECT_TRUE(two.overlaps);
    EXPECT_THAT(two.why, HasSubstr("A second candidate fits too"));
    const ResidencyChoice one = choose_residency(needs, {35 * gib - 1, 40 * gib});
    EXPECT_EQ(one.residency, Residency::pinned_host);
    EXPECT_FALSE(one.overlaps);
    EXPECT_THAT(one.why, HasSubstr("A second candidate doesn't fit"));
    EXPECT_FALSE(choose_residency(needs, {200 * gib, 40 * gib}).overlaps);
}

TEST(Residency, SourcesThatFitNowhereStayInTheirFiles) {
    const ResidencyChoice choice = choose_residency(needs, {24 * gib, 40 * gib - 1});
    EXPECT_EQ(choice.residency, Residency::mapped_files);
    EXPECT_THAT(choice.why, AllOf(HasSubstr("stay in their files"), HasSubstr("room for 3.00 GiB"),
                                  HasSubstr("the host has 40.00 GiB that may be pinned")));
}

TEST(Residency, ACandidateThatDoesNotFitWithoutThemIsAnError) {
    EXPECT_EQ(choose_residency(needs, {21 * gib, 0}).residency, Residency::mapped_files);
    try {
        choose_residency(needs, {21 * gib - 1, 0});
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("21.00 GiB of candidate 14.00 GiB"),
                                        HasSubstr("use more tensor-parallel ranks")));
    }
}

TEST(Residency, AGpuReadsNoFiles) {
    EXPECT_EQ(choose_gpu_residency(needs, {61 * gib, 0}).residency, Residency::device);
    EXPECT_EQ(choose_gpu_residency(needs, {21 * gib, 40 * gib}).residency, Residency::pinned_host);
    try {
        choose_gpu_residency(needs, {21 * gib, 40 * gib - 1});
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("no memory that the GPU reads (The sources (40.00 "
                                    "GiB) stay in their files, since"),
                          HasSubstr("nodes with more memory, or the CPU")));
    }
}

TEST(Residency, RanksGoByTheMostThatOneNeedsAndTheLeastThatOneHas) {
    const ResidencyNeeds other{39 * gib, 15 * gib, 6 * gib, gib, gib / 8, gib / 4};
    const ResidencyNeeds most = largest(std::vector{needs, other});
    EXPECT_EQ(most.sources, 40 * gib);
    EXPECT_EQ(most.beside_sources(), 15 * gib + 6 * gib + gib + gib / 4 + gib / 4);
    const FreeMemory free = least(std::vector{FreeMemory{3, 1}, FreeMemory{2, 4}});
    EXPECT_EQ(free.device, 2u);
    EXPECT_EQ(free.host, 1u);
}

TEST(Residency, ARankPinsThreeQuartersOfItsShareOfTheNode) {
    EXPECT_EQ(pinnable_bytes(64 * gib, 1), 48 * gib);
    EXPECT_EQ(pinnable_bytes(64 * gib, 4), 12 * gib);
}

}  // namespace
}  // namespace galapagos
