#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/run_directory.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class History : public testing::Test {
  protected:
    History() { std::filesystem::create_directories(layout_.islands()); }

    HistoryWriter writer(uint32_t island, int part) {
        return {layout_.part(island, part), sample::identity(island, part), sample::schema()};
    }
    void write(uint32_t island, int part, uint64_t first, uint64_t end) {
        HistoryWriter out = writer(island, part);
        for (uint64_t number = first; number < end; ++number) sample::append(out, island, number);
        out.close();
    }
    IslandHistory island(uint32_t number = 0) {
        for (IslandHistory& island : read_run(folder_.path(), {.answers = true}).islands)
            if (island.island == number) return island;
        throw std::runtime_error("no such island");
    }

    sample::Folder folder_;
    RunLayout layout_{folder_.path()};
};

TEST_F(History, ReturnsWhatWasWritten) {
    write(3, 1, 0, 50);
    EXPECT_EQ(sample::difference(island(3), 50), "");
    const HistoryPart part = read_part(layout_.part(3, 1));
    EXPECT_TRUE(part.clean);
    EXPECT_EQ(part.island, 3U);
    EXPECT_EQ(part.schema, sample::schema());
    EXPECT_EQ(part.run_uuid, sample::identity(3, 1).run_uuid);
    EXPECT_TRUE(part.candidates[0].answers.empty()) << "answers come only when asked for";
}

TEST_F(History, CanBeReadWhileItIsWritten) {
    HistoryWriter out = writer(0, 1);
    EXPECT_TRUE(read_part(layout_.part(0, 1)).generations.empty());
    for (uint64_t number = 0; number < 20; ++number) {
        sample::append(out, 0, number);
        EXPECT_EQ(sample::difference(island(), number + 1), "");
    }
    EXPECT_FALSE(read_part(layout_.part(0, 1)).clean);
}

TEST_F(History, LaterPartReplacesFromItsFirstGeneration) {
    write(0, 1, 0, 12);
    write(0, 2, 10, 15);
    write(0, 3, 15, 15);  // killed before its first generation
    write(0, 4, 13, 20);
    const IslandHistory joined = island();
    EXPECT_EQ(sample::difference(joined, 20), "");
    EXPECT_EQ(joined.parts, 4);
    EXPECT_TRUE(joined.warnings.empty());

    sample::Folder other;
    const RunLayout straight{other.path()};
    std::filesystem::create_directories(straight.islands());
    HistoryWriter out(straight.part(0, 1), sample::identity(0, 1), sample::schema());
    for (uint64_t number = 0; number < 20; ++number) sample::append(out, 0, number);
    EXPECT_EQ(fingerprint(read_run(other.path(), {.answers = true}).islands.at(0)),
              fingerprint(joined));
}

TEST_F(History, NamesAGapBetweenParts) {
    write(0, 1, 0, 5);
    write(0, 2, 7, 9);
    ASSERT_EQ(island().warnings.size(), 1U);
    EXPECT_THAT(island().warnings[0], HasSubstr("generation 7, 5 was expected"));
}

TEST_F(History, FingerprintIgnoresTimesOnly) {
    write(0, 1, 0, 3);
    IslandHistory one = island(), two = one;
    two.generations[1].ended += 1.0;
    two.candidates[2].evaluation_seconds += 1.0;
    two.candidates[2].evaluator += 1;
    EXPECT_EQ(fingerprint(one), fingerprint(two));
    two.candidates[2].genome[1] = std::nextafter(two.candidates[2].genome[1], 2.0);
    EXPECT_NE(fingerprint(one), fingerprint(two));
}

TEST_F(History, KeepsEventsThatNoGenerationFollows) {
    HistoryWriter out = writer(0, 1);
    out.event("start", "attempt 1");
    sample::append(out, 0, 0);
    out.event("stop", std::string(254, 'x') + "\u00e9");  // the cut must not split the letter
    const HistoryPart part = read_part(layout_.part(0, 1));
    ASSERT_EQ(part.events.size(), 2U);
    EXPECT_EQ(part.events[0].code, "start");
    EXPECT_EQ(part.events[1].generation, 1U);
    EXPECT_EQ(part.events[1].text, std::string(254, 'x'));
}

TEST_F(History, WorksWithoutGenesTasksOrDiagnostics) {
    {
        HistoryWriter out(layout_.part(0, 1), sample::identity(0, 1), {});
        GenerationRecord generation;
        generation.generation = 4;
        out.append(generation, std::vector<CandidateRecord>(2), {});
        generation.generation = 5;
        out.append(generation, {}, {});
    }
    const HistoryPart part = read_part(layout_.part(0, 1), {.answers = true});
    EXPECT_EQ(part.generations.size(), 2U);
    EXPECT_EQ(part.candidates.size(), 2U);
    EXPECT_EQ(part.candidates[1].parents[0], no_candidate);
}

TEST_F(History, RefusesWhatDoesNotFit) {
    HistoryWriter out = writer(0, 1);
    auto wrong = sample::candidates(0, 0);
    wrong[2].genome.pop_back();
    EXPECT_THAT([&] { out.append(sample::generation(0, 0), wrong, {}); },
                ThrowsMessage<Error>(HasSubstr("genome has 3 values, the history 4")));
    sample::append(out, 0, 0);
    EXPECT_THAT([&] { sample::append(out, 0, 2); },
                ThrowsMessage<Error>(HasSubstr("generation 2 after 0")));
    EXPECT_EQ(sample::difference(island(), 1), "");
    EXPECT_THAT([&] { writer(0, 1); }, ThrowsMessage<Error>(HasSubstr("it exists")));
    out.close();
    EXPECT_THAT([&] { sample::append(out, 0, 1); }, ThrowsMessage<Error>(HasSubstr("closed")));
}

TEST_F(History, RefusesPartsOfDifferentRuns) {
    write(0, 1, 0, 2);
    PartIdentity identity = sample::identity(0, 2);
    identity.run_uuid = make_uuid();
    HistoryWriter out(layout_.part(0, 2), identity, sample::schema());
    EXPECT_THAT([&] { read_run(folder_.path()); },
                ThrowsMessage<Error>(HasSubstr("i0000.part002.h5")));
}

TEST_F(History, NamesDamage) {
    write(0, 1, 0, 30);
    const auto file = layout_.part(0, 1);
    std::string bytes = read_text(file);
    // The genome of generation 10's third candidate, found by its value.
    const double value = sample::candidates(0, 10)[2].genome[1];
    const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
    ASSERT_NE(at, std::string::npos);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_THAT([&] { read_part(file); },
                ThrowsMessage<Error>(HasSubstr("generation 10: wrong checksum")));
    const HistoryPart part = read_part(file, {.answers = true, .tolerate_damage = true});
    EXPECT_EQ(part.generations.size(), 10U);
    EXPECT_EQ(sample::difference(join_parts({part}), 10), "");
}

TEST_F(History, TruncatedAndForeignFilesGiveErrors) {
    write(0, 1, 0, 30);
    const auto file = layout_.part(0, 1);
    const std::string bytes = read_text(file);
    for (const size_t size :
         {size_t{0}, size_t{5}, size_t{40}, bytes.size() / 3, bytes.size() / 2, bytes.size() - 1}) {
        std::ofstream(file, std::ios::binary) << bytes.substr(0, size);
        EXPECT_THROW(read_part(file), Error) << size << " bytes";
    }
    std::ofstream(file, std::ios::binary) << "name: not HDF5\n";
    EXPECT_THAT([&] { read_part(file); }, ThrowsMessage<Error>(HasSubstr("not an HDF5 file")));
    EXPECT_THAT([&] { read_run(folder_.path() / "none"); },
                ThrowsMessage<Error>(HasSubstr("no history here")));
}

TEST(PartName, ReadsOnlyWhatItWrites) {
    EXPECT_EQ(parse_part_name("i0003.part001.h5")->island, 3U);
    EXPECT_EQ(parse_part_name("i0003.part012.h5")->part, 12);
    EXPECT_EQ(parse_part_name("i12345.part1000.h5")->part, 1000);
    for (const char* other : {"i3.part001.h5", "i0003.part1.h5", "i0003.part001.h5.tmp.17", "x",
                              "i0003.part001.h5.damaged", "", "i", "i0003.part-01.h5"})
        EXPECT_FALSE(parse_part_name(other)) << other;
}

TEST(CandidateId, JoinsIslandAndCounter) {
    const uint64_t id = candidate_id(70000, (uint64_t{1} << 40) - 1);
    EXPECT_EQ(island_of(id), 70000U);
    EXPECT_EQ(counter_of(id), (uint64_t{1} << 40) - 1);
    EXPECT_EQ(candidate_name(candidate_id(3, 17)), "3:17");
}

}  // namespace
}  // namespace galapagos
