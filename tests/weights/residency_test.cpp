#include "weights/residency.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t gib = std::size_t{1} << 30;
/// 21 GiB beside sources that are read in place, 21.5 GiB with some that are streamed.
constexpr ResidencyNeeds needs{40 * gib, 14 * gib, 6 * gib, gib / 2,
                               gib / 4,  gib / 4,  gib / 8, 7 * gib / 8};

std::string error_of(const ResidencyNeeds& wanted, const FreeMemory& free) {
    try {
        choose_residency(wanted, free);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

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

TEST(Residency, SourcesThatFitNowhereAreStreamedFromTheirFiles) {
    const ResidencyChoice choice = choose_residency(needs, {24 * gib, 40 * gib - 1});
    EXPECT_EQ(choice.residency, Residency::mapped_files);
    EXPECT_FALSE(choice.overlaps);
    EXPECT_EQ(
        choice.why,
        "The sources (40.00 GiB) stay in their files, since the GPU's memory has room for 3.00 GiB "
        "beside candidate 14.00 GiB, decoder 6.00 GiB, statistics 0.50 GiB, tables 0.25 GiB, "
        "libraries 0.25 GiB, and the host has 40.00 GiB that may be pinned. Every merge reads all "
        "of them, from the disk what the node's memory can't cache, and streams them through a "
        "window of 0.88 GiB in the GPU's memory.");
    // The GPU's statistics of sources that it reads in place take more than the window.
    EXPECT_THAT(choose_residency({40, 14, 6, 5, 0, 0, 0, 2}, {24, 100}).why,
                HasSubstr("The sources (0.00 GiB) stay in their files, since the GPU's memory has "
                          "no room for candidate 0.00 GiB, decoder 0.00 GiB, statistics 0.00 GiB, "
                          "tables 0.00 GiB, libraries 0.00 GiB. Every merge"));
}

TEST(Residency, SourcesThatAreReadOnceArePinnedOnlyWhereTheyCanNotBeStreamed) {
    ResidencyNeeds once = needs;
    once.merged_once = true;
    const ResidencyChoice choice = choose_residency(once, {35 * gib, 40 * gib});
    EXPECT_EQ(choice.residency, Residency::mapped_files);
    EXPECT_FALSE(choice.overlaps);
    EXPECT_THAT(
        choice.why,
        AllOf(HasSubstr("libraries 0.25 GiB, and they are read once. The merge reads all of them"),
              testing::EndsWith(".")));
    EXPECT_EQ(choose_residency(once, {61 * gib, 40 * gib}).residency, Residency::device);
    // The window takes more than what the GPU's statistics do.
    const ResidencyChoice pinned = choose_residency(once, {needs.streaming() - 1, 40 * gib});
    EXPECT_EQ(pinned.residency, Residency::pinned_host);
    EXPECT_FALSE(pinned.overlaps);
    EXPECT_THAT(pinned.why, testing::EndsWith("libraries 0.25 GiB."));
    EXPECT_FALSE(largest(std::vector{needs, once}).merged_once);
}

TEST(Residency, TheWindowIsAsLargeAsIsUsefulAndFits) {
    constexpr std::size_t useful = usual_window;
    ResidencyNeeds small = needs;
    small.window = useful / 4;
    const auto window_at = [&](std::size_t room) {
        return choose_residency(small, {small.streaming() + room, 0}).window;
    };
    EXPECT_EQ(window_at(0), useful / 4);
    EXPECT_EQ(window_at(1), useful / 4 + 1);
    EXPECT_EQ(window_at(useful), useful);
    // A least one that is larger stays as it is.
    EXPECT_EQ(choose_residency(needs, {24 * gib, 0}).window, needs.window);
    EXPECT_EQ(choose_residency(needs, {100 * gib, 0}).window, 0u);
    EXPECT_EQ(choose_residency(needs, {24 * gib, 40 * gib}).window, 0u);
    // No larger than the sources themselves.
    EXPECT_EQ(choose_residency({100, 50, 0, 60, 0, 0, 0, 30}, {190, 0}).window, 100u);
}

TEST(Residency, ACandidateThatDoesNotFitWithoutThemIsAnError) {
    const std::size_t least = needs.streaming();
    EXPECT_EQ(choose_residency(needs, {least, 0}).residency, Residency::mapped_files);
    EXPECT_THAT(error_of(needs, {least - 1, 0}),
                AllOf(HasSubstr("21.50 GiB of candidate 14.00 GiB, decoder 6.00 GiB, statistics "
                                "0.12 GiB, tables 0.25 GiB, libraries 0.25 GiB, a window of 0.88 "
                                "GiB for sources that stay in their files are more than the 21.50 "
                                "GiB that are free"),
                      HasSubstr("use more tensor-parallel ranks")));
    EXPECT_EQ(choose_residency(needs, {21 * gib, 40 * gib}).residency, Residency::pinned_host);
    EXPECT_THAT(error_of(needs, {21 * gib - 1, 40 * gib}),
                HasSubstr("(21.00 GiB of candidate 14.00 GiB, decoder 6.00 GiB, statistics 0.50 "
                          "GiB, tables 0.25 GiB, libraries 0.25 GiB are more than"));
}

TEST(Residency, RanksGoByTheMostThatOneNeedsAndTheLeastThatOneHas) {
    const ResidencyNeeds other{39 * gib, 15 * gib, 6 * gib, gib, gib / 8, gib / 4, gib, 2 * gib};
    const ResidencyNeeds most = largest(std::vector{needs, other});
    EXPECT_EQ(most.sources, 40 * gib);
    EXPECT_EQ(most.beside_sources(), 15 * gib + 6 * gib + gib + gib / 4 + gib / 4);
    EXPECT_EQ(most.streaming(), most.beside_sources() + 2 * gib);
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
