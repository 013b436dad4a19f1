#include "merge/cuda/statistic_job.hpp"

namespace galapagos::cuda {

std::int64_t number_items(std::vector<StatisticJob>& jobs) {
    std::int64_t items = 0;
    for (StatisticJob& job : jobs) {
        job.first_item = items;
        items += job.items;
    }
    return items;
}

}  // namespace galapagos::cuda
