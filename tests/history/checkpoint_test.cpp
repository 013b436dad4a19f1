#include "history/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "history/sample_history.hpp"

namespace galapagos {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::string config_a(64, 'a'), config_b(64, 'b');

class CheckpointTest : public testing::Test {
  protected:
    void damage(uint64_t generation, size_t at) {
        std::string bytes = read_text(store_.file(generation));
        bytes.at(at) = static_cast<char>(bytes[at] ^ 0x10);
        std::ofstream(store_.file(generation), std::ios::binary) << bytes;
    }
    sample::Folder folder_;
    CheckpointStore store_{folder_.path(), 3, config_a};
    std::vector<std::string> warnings_;
};

TEST_F(CheckpointTest, ReturnsTheNewestAndKeepsTwo) {
    EXPECT_FALSE(store_.load_newest(warnings_));
    const std::string state("any bytes \0 at all", 18);
    for (const uint64_t generation : {1, 2, 9, 10}) store_.save(generation, state);
    store_.save(11, "");
    EXPECT_THAT(store_.generations(), ElementsAre(11, 10));
    EXPECT_EQ(store_.load_newest(warnings_)->state, "");
    EXPECT_EQ(store_.load(10).state, state);
    EXPECT_EQ(store_.load(10).island, 3U);
    EXPECT_THROW(store_.load(9), Error);
    EXPECT_FALSE(CheckpointStore(folder_.path(), 4, config_a).load_newest(warnings_));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(CheckpointTest, DropsTheAbandonedFuture) {
    store_.save(20, "first attempt");
    store_.save(21, "first attempt");
    store_.save(7, "resumed from an older one");
    EXPECT_EQ(store_.load_newest(warnings_)->state, "resumed from an older one");
}

TEST_F(CheckpointTest, FallsBackFromAnyDamagedByte) {
    store_.save(1, "old state");
    store_.save(2, "new state");
    const std::string whole = read_text(store_.file(2));
    for (size_t at = 0; at < whole.size(); ++at) {
        damage(2, at);
        warnings_.clear();
        ASSERT_EQ(store_.load_newest(warnings_)->state, "old state") << "byte " << at;
        ASSERT_EQ(warnings_.size(), 1U);
        damage(2, at);
    }
    EXPECT_EQ(store_.load_newest(warnings_)->state, "new state");
    for (size_t size = 0; size < whole.size(); ++size) {
        std::ofstream(store_.file(2), std::ios::binary) << whole.substr(0, size);
        ASSERT_EQ(store_.load_newest(warnings_)->state, "old state") << size << " bytes";
    }
    damage(1, 100);
    EXPECT_THAT([&] { store_.load_newest(warnings_); },
                ThrowsMessage<Error>(HasSubstr("no whole checkpoint of island 3")));
}

TEST_F(CheckpointTest, RefusesAnotherConfiguration) {
    store_.save(1, "state");
    const CheckpointStore other(folder_.path(), 3, config_b);
    EXPECT_THAT([&] { other.load_newest(warnings_); },
                ThrowsMessage<UsageError>(HasSubstr("another configuration")));
}

}  // namespace
}  // namespace galapagos
