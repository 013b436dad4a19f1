// What is made of GPUs and drivers that are too old.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "comm/device.hpp"

namespace galapagos {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

class VisibleDevices : public ::testing::Test {
  protected:
    void TearDown() override {
        ::unsetenv("GALAPAGOS_EMULATED_DRIVER");
        ::unsetenv("GALAPAGOS_EMULATED_CAPABILITY");
    }
};

TEST_F(VisibleDevices, HaveMatrixUnitsForBf16) {
    EXPECT_EQ(visible_devices().devices.size(), 1u);
    ::setenv("GALAPAGOS_EMULATED_CAPABILITY", "7", 1);
    const DeviceReport report = visible_devices();
    EXPECT_TRUE(report.devices.empty());
    EXPECT_FALSE(report.broken);
    EXPECT_EQ(report.why_none, "emulated has compute capability 7.0, 8.0 is needed");
}

TEST_F(VisibleDevices, AreNotThereForADriverThatIsTooOldWhichIsSaid) {
    ::setenv("GALAPAGOS_EMULATED_DRIVER", "11040", 1);
    const DeviceReport report = visible_devices();
    EXPECT_TRUE(report.devices.empty());
    EXPECT_FALSE(report.broken);
    EXPECT_THAT(report.why_none, StartsWith("cudaErrorInsufficientDriver: "));
    EXPECT_THAT(report.why_none,
                ::testing::HasSubstr(": the driver is for CUDA 11.4, this build for 1"));
    EXPECT_THAT(report.why_none, EndsWith("; update one, or build with the other's toolkit"));
}

}  // namespace
}  // namespace galapagos
