#include "merge/cuda/pass_launches.hpp"

#include "merge/cuda/statistic_sizes.hpp"

namespace galapagos::cuda {

std::byte* PassLaunches::start(std::size_t entries, std::size_t bytes) {
    table_ = memory_->scratch.begin(launch_bytes(entries, bytes));
    std::byte* const results = table_ + launch_bytes(entries, 0);
    device_->set_to_zero(results, bytes);
    return results;
}

void PassLaunches::launch(StatisticPass pass, std::vector<StatisticJob>& jobs, int most_blocks) {
    const std::int64_t items = number_items(jobs);
    if (jobs.empty()) return;
    device_->copy_in(jobs.data(), jobs.size() * sizeof(StatisticJob), table_);
    device_->launch({pass, reinterpret_cast<const StatisticJob*>(table_),
                     static_cast<int>(jobs.size()), items, most_blocks});
}

std::vector<StatisticJob> statistic_jobs(const TensorJob& job, bool with_base,
                                         std::span<const PartRuns> parts,
                                         const StatisticDevice& device) {
    if (parts.empty()) return {};
    TensorJob plain;
    plain.method = Method::task_arithmetic;
    if (with_base) plain.base = job.base;
    for (const JobInput& input : job.inputs) plain.inputs.emplace_back().tensor = input.tensor;
    plain.numbers = job.numbers;
    plain.epsilon = job.epsilon;
    plain.threshold = job.threshold;
    plain.last_tie = job.last_tie;
    plain.count = job.count;
    DeviceAddresses where;
    if (with_base) where.base = device.resident(job.base.data);
    for (const JobInput& input : job.inputs)
        where.inputs.push_back(device.resident(input.tensor.data));
    std::vector<DeviceJob> entries;
    append_device_jobs(plain, parts, where, entries);
    std::vector<StatisticJob> jobs;
    for (const DeviceJob& tensors : entries) {
        StatisticJob& added = jobs.emplace_back(StatisticJob{});
        added.tensors = tensors;
        added.items = delta_chunks(tensors.count);
    }
    return jobs;
}

TensorJob as_job(const DeltaPair& pair) {
    TensorJob job;
    job.base = pair.base;
    job.inputs.emplace_back().tensor = pair.source;
    job.count = pair.count;
    return job;
}

std::uint32_t key_at_place(const std::function<std::vector<KeyBucket>(const KeyRange&)>& count,
                           std::int64_t& place) {
    constexpr int half = 16;
    const auto descend = [&](const std::vector<KeyBucket>& buckets) {
        std::size_t bucket = buckets.size() - 1;
        while (bucket > 0 && place >= buckets[bucket].count) place -= buckets[bucket--].count;
        return static_cast<std::uint32_t>(bucket);
    };
    const std::uint32_t upper = descend(count({0, magnitude_bits, half})) << half;
    return upper + descend(count({upper, upper + ((1u << half) - 1), 0}));
}

void set_stream(const MaskStream& stream, StatisticJob& entry) {
    entry.tensors.seed = stream.seed;
    entry.tensors.name_hash = stream.name_hash;
    entry.tensors.inputs[0].position = stream.position;
}

void set_thinning(const JobInput& input, StatisticJob& entry) {
    DeviceInput& thinned = entry.tensors.inputs[0];
    thinned.ranks = input.ranks;
    thinned.lowest = input.lowest;
    thinned.slope = input.slope;
}

}  // namespace galapagos::cuda
