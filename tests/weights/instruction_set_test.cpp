#include "weights/instruction_set.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace galapagos {
namespace {

TEST(InstructionSet, EnvironmentChooses) {
    ::setenv("GALAPAGOS_INSTRUCTIONS", "portible", 1);
    try {
        instruction_set();
        FAIL() << "accepted";
    } catch (const UsageError& error) {
        EXPECT_NE(std::string(error.what()).find("did you mean 'portable'"), std::string::npos)
            << error.what();
    }
    ::setenv("GALAPAGOS_INSTRUCTIONS", "portable", 1);
    EXPECT_EQ(instruction_set(), InstructionSet::portable);
    EXPECT_EQ(supported_instruction_sets().front(), InstructionSet::portable);
}

}  // namespace
}  // namespace galapagos
