// For tests that need a GPU: they skip themselves where there is none.
#pragma once

#include <gtest/gtest.h>

#include "comm/device.hpp"

namespace galapagos::test {

/// Runs on the first GPU.
class GpuTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const DeviceReport report = visible_devices();
        if (report.devices.empty()) GTEST_SKIP() << "no GPU: " << report.why_none;
        use_device(report.devices.front());
        emulated_ = report.devices.front().name == "emulated";
    }

    /// On the device of tests/emulator, which is slow: time for fewer and smaller cases.
    bool emulated_ = false;
};

}  // namespace galapagos::test
