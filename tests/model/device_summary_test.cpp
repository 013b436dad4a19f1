// The GPU's summary of a slice of the logits, run by its twin, against the CPU's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/cuda/row_jobs.hpp"
#include "model/cuda/summarise_logits.hpp"
#include "model/device_twin.hpp"
#include "model/device_values.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::plain_kernels;
using test::random_values;
using test::run_on_host;

constexpr std::int64_t first_id = 1000;
const std::vector<LogitQuery> queries{{4, -1}, {4, 1000}, {5, 999}, {6, 1006}, {6, 5000}};

template <typename T>
class DeviceSummary : public ::testing::Test {};
using ElementTypes = ::testing::Types<float, Bf16>;
TYPED_TEST_SUITE(DeviceSummary, ElementTypes);

template <typename T>
std::vector<ShardSummary> summaries(const std::vector<T>& logits, std::int64_t width, float softcap,
                                    test::ThreadOrder order) {
    std::vector<ShardSummary> result(queries.size());
    SummariseLogits<T> job;
    job.logits = logits.data();
    job.width = width;
    job.first_id = first_id;
    job.first_row = 4;
    job.softcap = softcap;
    job.queries = queries.data();
    job.summaries = result.data();
    job.count = static_cast<std::int64_t>(queries.size());
    run_on_host(job, order);
    return result;
}

TYPED_TEST(DeviceSummary, SaysWhatTheCpuSays) {
    using T = TypeParam;
    constexpr float none = -std::numeric_limits<float>::infinity();
    for (const float softcap : {0.0F, 5.0F})
        for (const std::int64_t width : {1, 7, 64, 2049, 8000}) {
            const std::vector<T> logits = random_values<T>(3 * width, 10, 5.0F);
            std::vector<T> capped = logits;
            if (softcap != 0) plain_kernels<T>().soft_cap(capped.data(), 3 * width, softcap);
            for (const test::ThreadOrder order : test::thread_orders) {
                const auto found = summaries(logits, width, softcap, order);
                for (std::size_t i = 0; i < queries.size(); ++i) {
                    const T* row = capped.data() + (queries[i].row - 4) * width;
                    const auto expected = plain_kernels<T>().shard_statistics(row, width);
                    EXPECT_EQ(found[i].maximum, expected.maximum);
                    EXPECT_EQ(found[i].argmax, expected.argmax + first_id);
                    EXPECT_NEAR(found[i].sum_exp, expected.sum_exp, 3e-6 * expected.sum_exp);
                    const std::int64_t target = queries[i].target - first_id;
                    const bool own = target >= 0 && target < width;
                    EXPECT_EQ(found[i].target, own ? widen(row[target]) : none);
                }
            }
            std::vector<float> wide(logits.size());
            run_on_host(WidenLogits<T>{{3, width}, logits.data(), softcap, wide.data()});
            for (std::size_t i = 0; i < wide.size(); ++i) ASSERT_EQ(wide[i], widen(capped[i]));
        }
}

TYPED_TEST(DeviceSummary, PrefersTheLowestIdAndReportsWhatIsNotFinite) {
    using T = TypeParam;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr std::int64_t width = 3000;
    for (const test::ThreadOrder order : test::thread_orders) {
        std::vector<T> logits(3 * width, narrow<T>(-1.0F));
        logits[2930] = logits[2047] = logits[2600] = narrow<T>(2.0F);
        EXPECT_EQ(summaries(logits, width, 0, order)[0].argmax, first_id + 2047);
        std::fill_n(logits.begin(), width, narrow<T>(-infinity));
        EXPECT_EQ(summaries(logits, width, 0, order)[0].maximum, -infinity);
        EXPECT_EQ(summaries(logits, width, 0, order)[0].argmax, first_id);
        logits[5] = narrow<T>(infinity);
        EXPECT_EQ(summaries(logits, width, 0, order)[0].maximum, infinity);
        logits[2999] = narrow<T>(std::numeric_limits<float>::quiet_NaN());
        const auto found = summaries(logits, width, 0, order);
        EXPECT_TRUE(std::isnan(found[0].maximum));
        EXPECT_TRUE(std::isnan(found[1].maximum));
        EXPECT_EQ(found[2].maximum, -1.0F);
        EXPECT_NEAR(found[2].sum_exp, width, 0.01);
    }
}

}  // namespace
}  // namespace galapagos
