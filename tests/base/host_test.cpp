#include "base/host.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"

namespace galapagos {
namespace {

class MemoryLimit : public ::testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) {
        const auto path = folder_ / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text << '\n';
    }
    std::size_t limit() { return memory_limit(folder_ / "groups", folder_ / "root", 1000); }

    testing::TemporaryFolder folder_;
};

TEST_F(MemoryLimit, IsTheTightestOfAGroupAndThoseAboveIt) {
    write("groups", "0::/job/step");
    EXPECT_EQ(limit(), 1000u);
    write("root/job/step/memory.max", "max");
    EXPECT_EQ(limit(), 1000u);
    write("root/job/memory.max", "600");
    EXPECT_EQ(limit(), 600u);
    write("root/job/step/memory.max", "700");
    EXPECT_EQ(limit(), 600u);
    write("root/job/step/memory.max", "500");
    EXPECT_EQ(limit(), 500u);
}

TEST_F(MemoryLimit, OfAContainerLiesAtTheRoot) {
    write("groups", "0::/");
    write("root/memory.max", "300");
    EXPECT_EQ(limit(), 300u);
}

TEST_F(MemoryLimit, OfVersionOneIsInAFolderOfItsOwn) {
    write("groups", "5:cpu,cpuacct:/job\n7:memory:/job");
    write("root/memory/job/memory.limit_in_bytes", "200");
    write("root/memory.max", "100");
    EXPECT_EQ(limit(), 200u);
}

TEST(Host, NobodyMayHaveMoreThanThereIs) {
    EXPECT_GT(memory_limit(), 0u);
    EXPECT_LE(memory_limit(), total_memory());
}

}  // namespace
}  // namespace galapagos
