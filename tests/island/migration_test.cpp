#include "island/migration.hpp"

#include <gtest/gtest.h>

#include "history/records.hpp"

namespace galapagos {
namespace {

MigrantPacket packet(int source, std::uint64_t generation, bool last = false) {
    return {source,
            generation,
            last,
            false,
            {{candidate_id(static_cast<std::uint32_t>(source), generation), {0.5, 1.0 / 3}, 0.25}}};
}

class MailboxTest : public ::testing::Test {
  protected:
    MailboxTest() {
        settings.interval = 2;
        settings.lag = 1;
        mailbox = Mailbox(settings, {1, 2});
    }
    MigrationSettings settings;
    Mailbox mailbox;
};

TEST_F(MailboxTest, PacketsAreDueLagGenerationsAfterSending) {
    EXPECT_FALSE(mailbox.sends_after(0));
    EXPECT_TRUE(mailbox.sends_after(1));
    EXPECT_TRUE(mailbox.complete_for(0));
    EXPECT_TRUE(mailbox.complete_for(1));
    EXPECT_FALSE(mailbox.complete_for(2)) << "what was sent after generation 1 is due at 2";
    mailbox.receive(packet(2, 1));
    EXPECT_FALSE(mailbox.complete_for(2));
    mailbox.receive(packet(1, 1));
    EXPECT_TRUE(mailbox.complete_for(2));
    const auto due = mailbox.take(2);
    ASSERT_EQ(due.size(), 2u);
    EXPECT_EQ(due[0].source, 1) << "by source, however they arrived";
    EXPECT_EQ(due[1].source, 2);
}

TEST_F(MailboxTest, PacketsThatComeTwiceCountOnce) {
    mailbox.receive(packet(1, 1));
    mailbox.receive(packet(1, 1));
    mailbox.receive(packet(2, 1));
    EXPECT_EQ(mailbox.take(2).size(), 2u);
    mailbox.receive(packet(1, 1));
    mailbox.receive(packet(1, 3));
    mailbox.receive(packet(2, 3));
    EXPECT_EQ(mailbox.take(4).size(), 2u)
        << "a packet that was taken in comes back after a restart of its sender";
}

TEST_F(MailboxTest, AnEndedNeighbourIsNotWaitedFor) {
    mailbox.receive(packet(1, 1));
    mailbox.receive(packet(2, 0, true));
    EXPECT_TRUE(mailbox.complete_for(2));
    EXPECT_EQ(mailbox.take(2).size(), 2u)
        << "the closing packet is taken with the next that is due";
    mailbox.receive(packet(1, 3));
    EXPECT_TRUE(mailbox.complete_for(4));
}

TEST_F(MailboxTest, AfterARestartOldPacketsAreStillKnown) {
    mailbox.receive(packet(1, 1));
    mailbox.receive(packet(2, 1));
    mailbox.take(2);
    Mailbox restored(settings, {1, 2});
    restored.load(mailbox.save());
    restored.receive(packet(1, 1));
    restored.receive(packet(1, 3));
    restored.receive(packet(2, 3));
    EXPECT_EQ(restored.take(4).size(), 2u);
}

TEST(MigrantPacket, KeepsItsBits) {
    const auto original = packet(3, 7, true);
    const auto copy = unpack_packet(pack(original));
    EXPECT_EQ(copy.source, 3);
    EXPECT_EQ(copy.generation, 7u);
    EXPECT_TRUE(copy.last);
    ASSERT_EQ(copy.migrants.size(), 1u);
    EXPECT_EQ(copy.migrants[0].genome, original.migrants[0].genome);
    EXPECT_EQ(copy.migrants[0].fitness, original.migrants[0].fitness);
}

}  // namespace
}  // namespace galapagos
