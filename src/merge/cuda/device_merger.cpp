#include "merge/cuda/device_merger.hpp"

#include <utility>

#include "merge/cuda/device_passes.hpp"
#include "merge/cuda/part_passes.hpp"

namespace galapagos::cuda {

namespace {

std::unique_ptr<StatisticPasses> make_passes(
    const std::vector<std::shared_ptr<const Source>>& sources, const Sharding& sharding,
    TensorGroup* group, StatisticDevice& device, MergeMemory& memory, bool streamed) {
    if (streamed) return nullptr;
    if (sharding.size() == 1) return std::make_unique<DevicePasses>(device, memory);
    if (group == nullptr) return nullptr;
    return std::make_unique<PartPasses>(CountedParts(sources, sharding), *group, device, memory);
}

}  // namespace

DeviceMerger::DeviceMerger(std::vector<std::shared_ptr<const Source>> sources, Sharding sharding,
                           std::uint64_t seed, TensorGroup* group, StatisticDevice& device,
                           const MergeMemory& memory, LaunchMerge launch,
                           std::optional<SourceStream> stream)
    : device_(device),
      launch_(std::move(launch)),
      stream_(std::move(stream)),
      memory_(memory),
      passes_(make_passes(sources, sharding, group, device, memory_, stream_.has_value())),
      candidate_(std::move(sources), std::move(sharding), seed, group,
                 passes_ ? *passes_ : cpu_passes()) {}

void DeviceMerger::merge(const MergePlan& plan, Arena& layout, std::byte* out) {
    candidate_.build(plan, layout);
    const auto on_device = [&](const MutableTensorView& view) {
        return out + (view.data - layout.span().data());
    };
    for (const CandidateJobs::Copy& copy : candidate_.copies())
        copy_part(copy.whole, copy.slice, on_device(copy.out));

    const float* factors = place_factors();
    start_batches();
    for (std::size_t i = 0; i < candidate_.jobs().size(); ++i) {
        const TensorJob& job = candidate_.jobs()[i];
        const CandidateJobs::Target& target = candidate_.targets()[i];
        if (target.out.numel() > 0) {
            while (stream_ && !stream_->add(job, target)) {
                end_batch();
                stream_->next_batch();
            }
            DeviceAddresses where = addresses(job, target);
            where.line_factors = factors;
            where.out = on_device(target.out);
            append_device_jobs(job, target.slice, target.shape, where,
                               entries_[static_cast<std::size_t>(arithmetic_of(job))]);
        }
        if (job.lines) factors += job.lines->factors.size();
    }
    end_batch();
    launch_all();
}

void DeviceMerger::start_batches() {
    for (auto& entries : entries_) entries.clear();
    table_.clear();
    batches_.clear();
    if (stream_) stream_->start();
}

/// Brings the factors of all jobs' lines to the device, one job's after the other's.
const float* DeviceMerger::place_factors() {
    factors_.clear();
    for (const TensorJob& job : candidate_.jobs())
        if (job.lines)
            factors_.insert(factors_.end(), job.lines->factors.begin(), job.lines->factors.end());
    if (factors_.empty()) return nullptr;
    const std::size_t bytes = factors_.size() * sizeof(float);
    std::byte* place = memory_.factors.begin(bytes);
    device_.copy_in(factors_.data(), bytes, place);
    return reinterpret_cast<const float*>(place);
}

/// Where a job's tensors and ranks lie.
DeviceAddresses DeviceMerger::addresses(const TensorJob& job, const CandidateJobs::Target& target) {
    const auto find = [&](const StoredTensor& tensor) {
        return stream_ ? stream_->find(tensor.data) : device_.resident(tensor.data);
    };
    DeviceAddresses where;
    where.out_dtype = target.out.dtype;
    if (job.base.data != nullptr) where.base = find(job.base);
    for (const JobInput& input : job.inputs) {
        where.inputs.push_back(find(input.tensor));
        where.ranks.push_back(input.sparsity == Sparsity::by_rank ? ranks_part(input.ranks, target)
                                                                  : nullptr);
    }
    return where;
}

const std::uint16_t* DeviceMerger::ranks_part(const std::uint16_t* ranks,
                                              const CandidateJobs::Target& target) {
    if (passes_) return ranks;  // on the device
    auto& part = rank_parts_[ranks];
    if (part == nullptr) {
        std::byte* const place =
            memory_.ranks.take(static_cast<std::size_t>(target.out.numel()) * sizeof *ranks);
        copy_part({reinterpret_cast<const std::byte*>(ranks), DType::u16, target.shape},
                  target.slice, place);
        part = reinterpret_cast<const std::uint16_t*>(place);
    }
    return part;
}

void DeviceMerger::copy_part(const TensorView& whole, const TensorSlice& slice, std::byte* to) {
    const Shape shape = sliced_shape(slice, whole.shape);
    part_.resize(static_cast<std::size_t>(element_count(shape)) * size_of(whole.dtype));
    copy_slice(whole, slice, {part_.data(), whole.dtype, shape});
    device_.copy_in(part_.data(), part_.size(), to);
}

/// One launch for each kernel that has entries, which go behind those of earlier batches.
void DeviceMerger::end_batch() {
    std::vector<MergeLaunch>& launches = batches_.emplace_back();
    for (std::size_t kernel = 0; kernel < entries_.size(); ++kernel) {
        std::vector<DeviceJob>& entries = entries_[kernel];
        if (entries.empty()) continue;
        launches.push_back({static_cast<Arithmetic>(kernel), nullptr,
                            static_cast<int>(entries.size()), assign_chunks(entries)});
        table_.insert(table_.end(), entries.begin(), entries.end());
        entries.clear();
    }
}

/// The tables of all batches go to the device together: a copy that waits would keep the host from
/// the next batch.
void DeviceMerger::launch_all() {
    if (table_.empty()) return;
    std::byte* place = memory_.tables.begin(table_.size() * sizeof(DeviceJob));
    device_.copy_in(table_.data(), table_.size() * sizeof(DeviceJob), place);
    const auto* jobs = reinterpret_cast<const DeviceJob*>(place);
    for (std::size_t batch = 0; batch < batches_.size(); ++batch) {
        if (stream_) stream_->copy(batch);
        for (MergeLaunch& launch : batches_[batch]) {
            launch.jobs = jobs;
            launch_(launch);
            jobs += launch.job_count;
        }
    }
}

}  // namespace galapagos::cuda
