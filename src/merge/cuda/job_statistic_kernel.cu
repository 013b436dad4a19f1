#include "merge/cuda/statistic_kernel.hpp"
#include "merge/cuda/statistic_launch.cuh"

namespace galapagos::cuda {

bool launch_job_pass(const StatisticLaunch& launch, const Stream& stream) {
    return with_job_pass(launch.pass,
                         [&]<StatisticPass pass>() { launch_pass<pass>(launch, stream); });
}

}  // namespace galapagos::cuda
