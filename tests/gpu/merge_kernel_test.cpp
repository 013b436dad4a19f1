// The merge kernel on a real GPU against the CPU's merger, bit for bit.
#include "merge/cuda/merge_kernel.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <map>

#include "comm/cuda/errors.hpp"
#include "comm/cuda/memory.hpp"
#include "gpu/gpu_test.hpp"
#include "merge/device_job_cases.hpp"

namespace galapagos {
namespace {

using namespace cuda;
using test::DeviceJobCase;

using MergeKernel = test::GpuTest;

/// Several cases merged by one launch: their parts, results and table in one piece of device
/// memory.
class Candidate {
  public:
    explicit Candidate(std::vector<DeviceJobCase> cases) : cases_(std::move(cases)) {
        for (const DeviceJobCase& drawn : cases_) {
            for (const JobInput& input : drawn.job.inputs) {
                place(drawn.part_of(input.tensor));
                place(drawn.ranks_part(input));
            }
            place(drawn.line_factors());
            place(drawn.part_of(drawn.job.base));
            place(drawn.expected());  // as much room as it takes
        }
    }

    /// What the GPU makes of the cases, one after the other.
    std::vector<std::vector<std::byte>> merge(const Stream& stream) {
        const std::size_t table_bytes = sizeof(DeviceJob) * 2 * cases_.size();
        const std::size_t table_at = plan_.add("table", table_bytes);
        const DeviceArena arena(plan_);
        std::vector<DeviceJob> jobs = fill(arena);
        MergeLaunch launch;
        launch.arithmetic = jobs.front().arithmetic;
        launch.chunks = assign_chunks(jobs);
        launch.jobs = reinterpret_cast<const DeviceJob*>(arena.at(table_at));
        launch.job_count = static_cast<int>(jobs.size());
        copy_in(jobs.data(), sizeof(DeviceJob) * jobs.size(), arena.at(table_at));
        // Copies from pageable memory return early, and the stream doesn't wait for the default
        // one.
        check(cudaDeviceSynchronize(), "can't copy to the GPU");
        launch_merge(launch, stream);
        stream.synchronize();
        std::vector<std::vector<std::byte>> results;
        for (const std::byte* out : outs_) {
            auto& result = results.emplace_back(cases_[results.size()].expected().size());
            check(cudaMemcpy(result.data(), out, result.size(), cudaMemcpyDeviceToHost),
                  "can't copy from the GPU");
        }
        return results;
    }

  private:
    void place(std::vector<std::byte> bytes) {
        offsets_.push_back(plan_.add("tensors", bytes.size()));
        contents_.push_back(std::move(bytes));
    }

    static void copy_in(const void* from, std::size_t bytes, std::byte* to) {
        check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "can't copy to the GPU");
    }

    std::vector<DeviceJob> fill(const DeviceArena& arena) {
        std::vector<DeviceJob> jobs;
        std::size_t next = 0;
        const auto put = [&] {
            copy_in(contents_[next].data(), contents_[next].size(), arena.at(offsets_[next]));
            return arena.at(offsets_[next++]);
        };
        for (const DeviceJobCase& drawn : cases_) {
            DeviceAddresses where;
            for (std::size_t i = 0; i < drawn.job.inputs.size(); ++i) {
                where.inputs.push_back(put());
                where.ranks.push_back(reinterpret_cast<const std::uint16_t*>(put()));
            }
            where.line_factors = reinterpret_cast<const float*>(put());
            const std::byte* base = put();
            if (drawn.job.base.data != nullptr) where.base = base;
            std::fill(contents_[next].begin(), contents_[next].end(), std::byte{0xA5});
            where.out = put();
            where.out_dtype = drawn.out_dtype;
            outs_.push_back(where.out);
            append_device_jobs(drawn.job, drawn.slice, drawn.shape, where, jobs);
        }
        return jobs;
    }

    std::vector<DeviceJobCase> cases_;
    MemoryPlan plan_;
    std::vector<std::size_t> offsets_;
    std::vector<std::vector<std::byte>> contents_;
    std::vector<std::byte*> outs_;
};

TEST_F(MergeKernel, GivesTheBitsOfTheCpuForManyTensorsInOneLaunch) {
    const Stream stream;
    std::map<Arithmetic, std::vector<std::uint64_t>> numbers_of;
    for (std::uint64_t number = 0; number < 2000; ++number)
        numbers_of[arithmetic_of(test::drawn_case(number).job)].push_back(number);
    ASSERT_EQ(numbers_of.size(), 8u);
    for (const auto& [arithmetic, numbers] : numbers_of) {
        std::vector<DeviceJobCase> cases;
        for (const std::uint64_t number : numbers) cases.push_back(test::drawn_case(number));
        const auto merged = Candidate(cases).merge(stream);
        for (std::size_t i = 0; i < cases.size(); ++i)
            ASSERT_EQ(merged[i], cases[i].expected()) << "case " << numbers[i];
    }
}

}  // namespace
}  // namespace galapagos
