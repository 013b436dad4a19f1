#include "merge/cuda/device_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.hpp"
#include "merge/cuda/pack.hpp"

namespace galapagos::cuda {
namespace {

void add_input(const DeviceInput& input, DeviceJob& entry) {
    check_inputs(static_cast<std::size_t>(entry.input_count) + 1);
    entry.inputs[entry.input_count++] = input;
}

void add_inputs(const TensorJob& job, const DeviceAddresses& where, DeviceJob& entry) {
    for (std::size_t i = 0; i < job.inputs.size(); ++i) {
        const JobInput& input = job.inputs[i];
        if (input.sparsity == Sparsity::empty) continue;
        DeviceInput added{};
        added.tensor = {where.inputs[i], input.tensor.dtype};
        added.gain = input.gain;
        added.vote = input.vote;
        added.sparsity = input.sparsity;
        added.threshold = input.threshold;
        added.ceiling = input.ceiling;
        added.keep_below = input.keep_below;
        added.position = input.position;
        added.last_tie = input.last_tie;
        added.last_dropped_tie = input.last_dropped_tie;
        added.ranks = input.sparsity == Sparsity::by_rank ? where.ranks[i] : nullptr;
        added.lowest = input.lowest;
        added.slope = input.slope;
        added.inverse_p = input.inverse_p;
        add_input(added, entry);
    }
}

void add_lines(const TensorJob& job, const float* factors, DeviceJob& entry) {
    if (!job.lines) return;
    const LineFactors& lines = *job.lines;
    entry.lines = {factors, lines.length, lines.lines, lines.columns};
    if (job.method == Method::arcee_fusion)
        entry.lines = {factors, job.row_length, job.count / job.row_length, false};
}

bool is_aligned(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % vector_bytes == 0;
}

bool addresses_aligned(const DeviceJob& entry) {
    return is_aligned(entry.out) && is_aligned(entry.base.data) &&
           std::all_of(entry.inputs, entry.inputs + entry.input_count,
                       [](const DeviceInput& input) {
                           return is_aligned(input.tensor.data) && is_aligned(input.ranks);
                       });
}

/// Adds one range's runs to a copy of `entry`.
void append_range(DeviceJob entry, const PartRuns& part, std::vector<DeviceJob>& jobs) {
    const EvenRuns& runs = part.runs;
    entry.runs = runs;
    entry.count = part.count;
    const bool one_run = part.count == runs.length;
    const auto in_steps_of = [&](std::int64_t step, std::int64_t begin, std::int64_t stride) {
        return begin % step == 0 && (one_run || (runs.length % step == 0 && stride % step == 0));
    };
    entry.side_by_side =
        addresses_aligned(entry) && in_steps_of(pack_elements, runs.local_begin, runs.local_stride);
    entry.whole_tiles = in_steps_of(mask_tile, runs.global_begin, runs.global_stride);
    jobs.push_back(entry);
}

}  // namespace

void check_inputs(std::size_t inputs) {
    if (inputs > most_inputs)
        throw Error("a tensor can't be merged on the GPU",
                    fmt::format("it has more than {} sources", most_inputs),
                    "merge on the CPU, or in two steps");
}

// As merge_block chooses.
Arithmetic arithmetic_of(const TensorJob& job) {
    if (job.lines && job.method != Method::arcee_fusion) return Arithmetic::line_factors;
    switch (job.method) {
        case Method::linear:
        case Method::karcher:
        case Method::passthrough:
        case Method::slerp:
            return Arithmetic::weighted_sum;
        case Method::nuslerp:
        case Method::multislerp:
        case Method::model_stock:
            return job.base.data == nullptr ? Arithmetic::weighted_sum : Arithmetic::task_vectors;
        case Method::task_arithmetic:
        case Method::dare_linear:
        case Method::breadcrumbs:
        case Method::della_linear:
            return Arithmetic::task_vectors;
        case Method::ties:
        case Method::dare_ties:
        case Method::breadcrumbs_ties:
        case Method::della:
            return Arithmetic::sign_election;
        case Method::sce:
            return Arithmetic::sce;
        case Method::ram:
        case Method::ramplus_tl:
            return Arithmetic::ram;
        case Method::arcee_fusion:
            return Arithmetic::arcee_fusion;
        case Method::nearswap:
            return Arithmetic::nearswap;
    }
    std::abort();  // there is no other method
}

std::vector<PartRuns> runs_of(const TensorSlice& slice, const Shape& shape) {
    std::vector<PartRuns> parts;
    const auto add = [&](const EvenRuns& runs, std::int64_t count, std::size_t range) {
        if (count > 0) parts.push_back({runs, count, range});
    };
    if (slice.whole()) {
        const std::int64_t count = element_count(shape);
        add({count, 0, 0, 0, 0}, count, 0);
        return parts;
    }
    const auto dim = static_cast<std::size_t>(slice.dim);
    std::int64_t outer = 1, inner = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        if (d < dim) outer *= shape[d];
        if (d > dim) inner *= shape[d];
    }
    std::int64_t local = 0;
    for (std::size_t i = 0; i < slice.ranges.size(); ++i) {
        const Range& range = slice.ranges[i];
        const std::int64_t length = range.size() * inner;
        add({length, range.begin * inner, shape[dim] * inner, local, slice.extent() * inner},
            outer * length, i);
        local += length;
    }
    return parts;
}

void append_device_jobs(const TensorJob& job, const TensorSlice& slice, const Shape& shape,
                        const DeviceAddresses& where, std::vector<DeviceJob>& jobs) {
    append_device_jobs(job, runs_of(slice, shape), where, jobs);
}

void append_device_jobs(const TensorJob& job, std::span<const PartRuns> parts,
                        const DeviceAddresses& where, std::vector<DeviceJob>& jobs) {
    DeviceJob entry{};
    entry.arithmetic = arithmetic_of(job);
    entry.normalize = job.normalize;
    entry.factor = job.factor;
    entry.out = where.out;
    entry.out_dtype = where.out_dtype;
    entry.base = {where.base, job.base.dtype};
    entry.seed = job.seed;
    entry.name_hash = job.name_hash;
    entry.t = job.t;
    entry.epsilon = job.epsilon;
    entry.selects = job.numbers.select_topk < 1;
    entry.threshold = job.threshold;
    entry.last_tie = job.last_tie;
    if (job.method == Method::slerp) {  // its base is a model like the other
        DeviceInput base{};
        base.tensor = entry.base;
        base.gain = job.base_gain;
        add_input(base, entry);
    }
    add_inputs(job, where, entry);
    add_lines(job, where.line_factors, entry);
    for (const PartRuns& part : parts) append_range(entry, part, jobs);
}

std::int64_t assign_chunks(std::vector<DeviceJob>& jobs) {
    std::int64_t chunks = 0;
    for (DeviceJob& job : jobs) {
        job.first_chunk = chunks;
        chunks += chunks_of(job);
    }
    return chunks;
}

}  // namespace galapagos::cuda
