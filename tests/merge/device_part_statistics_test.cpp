// Statistics of tensors that are cut over the ranks, counted by the kernels' twins. Runs under
// mpirun.
#include <gtest/gtest.h>

#include "merge/device_part_cases.hpp"
#include "merge/statistic_twin.hpp"

namespace galapagos {
namespace {

using namespace test;

class DevicePartStatistics : public ::testing::Test {
  protected:
    CutModels drawn(std::uint64_t index, const Shape& shape, int models,
                    StatisticTwin::Threads threads = StatisticTwin::Threads::loop) {
        twin_ = StatisticTwin(&tensors_, threads);
        return {index, shape, models, group_, twin_, tensors_, twin_memory};
    }

    const std::vector<Shape> shapes_{{1},        {1100},     {3, 7},        {40, 1100},
                                     {256, 384}, {300, 257}, {2, 300, 128}, {35'000, 2}};
    TensorGroup group_{Communicator::world()};
    cuda::ResidentTensors tensors_;
    StatisticTwin twin_;
};

TEST_F(DevicePartStatistics, OfTaskVectorsAreThoseOfTheWhole) {
    for (std::uint64_t index = 0; index < 40; ++index) {
        SCOPED_TRACE(testing::Message() << "case " << index);
        drawn(index, shapes_[index % shapes_.size()], 1).compare_pair();
    }
}

TEST_F(DevicePartStatistics, OfAllModelsAreThoseOfTheWhole) {
    for (std::uint64_t index = 0; index < 24; ++index) {
        SCOPED_TRACE(testing::Message() << "case " << index);
        drawn(index, shapes_[index % shapes_.size()],
              index == 3 ? cuda::most_inputs : 1 + static_cast<int>(index % 4))
            .compare_models();
    }
}

/// Under a thread sanitizer this finds steps that lack a barrier between them.
TEST_F(DevicePartStatistics, ThreadsMayRunSideBySide) {
    for (const std::uint64_t index : {0, 1}) {
        CutModels models = drawn(index, {130, 257}, 2, StatisticTwin::Threads::real);
        models.compare_pair();
        models.compare_models();
    }
}

}  // namespace
}  // namespace galapagos
