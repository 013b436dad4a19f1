#include "merge/cuda/source_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/parallel.hpp"
#include "merge/cuda/merge_memory.hpp"
#include "merge/slice_runs.hpp"

namespace galapagos::cuda {

namespace {

/// What a thread copies at a time: enough of these in a piece to keep all threads busy.
constexpr std::int64_t bytes_at_once = 256 << 10;

std::size_t part_bytes(const TensorSlice& slice, const Shape& shape, DType dtype) {
    return static_cast<std::size_t>(element_count(sliced_shape(slice, shape))) * size_of(dtype);
}

}  // namespace

std::size_t least_window(std::span<const MergePlan> forms,
                         const std::vector<std::shared_ptr<const Source>>& sources,
                         const OwnTensors& own, const Sharding& sharding) {
    std::size_t most = 0;
    for (const MergePlan& form : forms)
        for (const TensorMerge& tensor : form.tensors) {
            if (tensor.copied) continue;
            const TensorSlice slice = sharding.slice(tensor.output_name, tensor.shape);
            std::set<StoredKey> known;
            std::size_t bytes = 0;
            const auto add = [&](const MergeInput& input) {
                const auto number = static_cast<std::size_t>(input.source);
                if (!known.insert(stored_key(sources, own, number, input.tensor)).second) return;
                const DType dtype = sources[number]->tensor(input.tensor).dtype;
                bytes += aligned(part_bytes(slice, tensor.shape, dtype));
            };
            if (tensor.base) add(*tensor.base);
            for (const MergeInput& input : tensor.inputs) add(input);
            most = std::max(most, bytes);
        }
    return most;
}

SourceStream::SourceStream(const std::vector<std::shared_ptr<const Source>>& sources,
                           std::byte* window, std::size_t bytes, StreamIn stream_in)
    : window_(window), bytes_(bytes), stream_in_(std::move(stream_in)) {
    const OwnTensors own = own_tensors(sources);
    std::map<StoredKey, const std::byte*> known;
    for (std::size_t number = 0; number < sources.size(); ++number)
        for (const std::string& name : sources[number]->tensor_names()) {
            const std::byte* mapped = sources[number]->tensor(name).data;
            const auto [same, is_new] =
                known.try_emplace(stored_key(sources, own, number, name), mapped);
            if (!is_new) first_.emplace(mapped, same->second);
        }
}

void SourceStream::start() {
    batches_.clear();
    next_batch();
}

void SourceStream::next_batch() {
    batches_.emplace_back();
    end_ = 0;
    places_.clear();
}

const std::byte* SourceStream::stored(const std::byte* mapped) const {
    const auto found = first_.find(mapped);
    return found == first_.end() ? mapped : found->second;
}

/// Another output may take another slice of the same tensor.
bool SourceStream::holds(const std::byte* data, const TensorSlice& slice) const {
    const auto found = places_.find(data);
    return found != places_.end() && batches_.back()[found->second].slice == slice;
}

bool SourceStream::add(const TensorJob& job, const CandidateJobs::Target& target) {
    Batch added;
    std::size_t end = end_;
    const auto add_tensor = [&](const StoredTensor& tensor) {
        const std::byte* data = stored(tensor.data);
        const bool added_now = std::any_of(
            added.begin(), added.end(), [&](const Part& part) { return part.whole.data == data; });
        if (added_now || holds(data, target.slice)) return;
        const std::size_t bytes = part_bytes(target.slice, target.shape, tensor.dtype);
        added.push_back({{data, tensor.dtype, target.shape}, target.slice, end, bytes});
        end += aligned(bytes);
    };
    if (job.base.data != nullptr) add_tensor(job.base);
    for (const JobInput& input : job.inputs) add_tensor(input.tensor);

    Batch& batch = batches_.back();
    if (end > bytes_) {
        if (!batch.empty()) return false;
        throw Error("a candidate can't be merged on the GPU",
                    fmt::format("the sources of a tensor take {} bytes, and their window has {}",
                                end, bytes_),
                    "this is a mistake in galapagos: please report it");
    }
    for (Part& part : added) {
        places_.insert_or_assign(part.whole.data, batch.size());
        batch.push_back(std::move(part));
    }
    end_ = end;
    return true;
}

const std::byte* SourceStream::find(const std::byte* mapped) const {
    return window_ + batches_.back()[places_.at(stored(mapped))].offset;
}

void SourceStream::copy(std::size_t batch) const {
    const Batch& parts = batches_.at(batch);
    if (parts.empty()) return;
    stream_in_(
        parts.back().offset + parts.back().bytes,
        [&](std::size_t begin, std::size_t end, std::byte* to) {
            parallel_for(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                         bytes_at_once, [&](std::int64_t from, std::int64_t until) {
                             const auto first = static_cast<std::size_t>(from);
                             fill(parts, first, static_cast<std::size_t>(until),
                                  to + (first - begin));
                         });
        },
        window_);
}

/// What lies in [begin, end) of the window; nothing is put between parts.
void SourceStream::fill(const Batch& batch, std::size_t begin, std::size_t end, std::byte* to) {
    auto part = std::upper_bound(
        batch.begin(), batch.end(), begin,
        [](std::size_t at, const Part& other) { return at < other.offset + other.bytes; });
    for (; part != batch.end() && part->offset < end; ++part) {
        const std::size_t first = std::max(begin, part->offset);
        const std::size_t last = std::min(end, part->offset + part->bytes);
        part->copy_range(first - part->offset, last - part->offset, to + (first - begin));
    }
}

/// Bytes [begin, end) of the part, as copy_slice lays it out.
void SourceStream::Part::copy_range(std::size_t begin, std::size_t end, std::byte* to) const {
    Shape shape = whole.shape;
    shape.push_back(static_cast<std::int64_t>(size_of(whole.dtype)));  // of bytes
    for_each_run_between(slice, shape, static_cast<std::int64_t>(begin),
                         static_cast<std::int64_t>(end), [&](const SliceRun& run) {
                             std::memcpy(to + (static_cast<std::size_t>(run.local) - begin),
                                         whole.data + run.global,
                                         static_cast<std::size_t>(run.count));
                         });
}

}  // namespace galapagos::cuda
