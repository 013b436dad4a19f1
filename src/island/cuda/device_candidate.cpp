#include "island/cuda/device_candidate.hpp"

#include <cstring>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "comm/agreement.hpp"
#include "island/cuda/candidate_needs.hpp"
#include "merge/cuda/resident_sources.hpp"
#include "model/cuda/device_pass.hpp"

namespace galapagos::cuda {

namespace {

template <typename T>
constexpr DType element_type = std::is_same_v<T, float> ? DType::f32 : DType::bf16;

}  // namespace

template <typename T>
DeviceCandidate<T>::DeviceCandidate(std::vector<std::shared_ptr<const Source>> sources,
                                    const Source& layout_source, Architecture architecture,
                                    const LayerRoute& route, const Communicator& group,
                                    std::uint64_t seed, DecoderOptions options,
                                    const MergeForms& forms, const MakeMachine<T>& make_machine)
    : CandidateModel(std::move(sources), layout_source, std::move(architecture), route, group,
                     element_type<T>, ArenaUse::layout),
      machine_(make_machine(group_)) {
    options.dtype = element_type<T>;
    choose_residency(options, forms);
    // Each rank's device has its own room, and sources come from the disks to one rank minutes
    // before they come to another: too long for ranks whose devices wait for each other.
    agree(group, [&] { take_memory(seed, forms); });
    agree(group, [&] { make_decoder(options); });
}

/// Of several ranks, the one with the least room chooses for all: they merge together.
template <typename T>
void DeviceCandidate<T>::choose_residency(const DecoderOptions& options, const MergeForms& forms) {
    FreeMemory free;
    agree(group_.communicator(), [&] {
        needs_ = candidate_needs(sources_, own_tensors(sources_), architecture_, sharding_, arena_,
                                 first_route_, options, forms.plans);
        needs_.merged_once = forms.once;
        free = machine_->free_memory();
    });
    residency_ = galapagos::choose_residency(largest(group_.all_gather_values(needs_)),
                                             least(group_.all_gather_values(free)));
}

template <typename T>
void DeviceCandidate<T>::take_memory(std::uint64_t seed, const MergeForms& forms) {
    const MergeBytes merging = merge_bytes(forms.plans, sharding_, residency_.residency);
    weights_ = machine_->allocate("candidate", arena_.bytes());
    merging_ = machine_->allocate("statistics and tables", merging.total());
    if (residency_.overlaps) spare_ = machine_->allocate("next candidate", arena_.bytes());
    if (residency_.residency != Residency::mapped_files) load_sources();
    merger_.emplace(
        sources_, sharding_, seed, &group_, machine_->statistics(),
        MergeMemory(merging, merging_.get()),
        [this](MergeLaunch launch) {
            launch.beside_work = beside_work_;
            machine_->launch(launch);
        },
        source_stream());
}

template <typename T>
void DeviceCandidate<T>::make_decoder(const DecoderOptions& options) {
    decoder_.emplace(architecture_, group_, options,
                     make_device_pass<T>(architecture_, sharding_, arena_, weights_.get(),
                                         machine_->work(), group_, options, first_route_));
}

/// Pinned memory is the host's: what is copied there is copied by it.
template <typename T>
void DeviceCandidate<T>::load_sources() {
    const bool pinned = residency_.residency == Residency::pinned_host;
    resident_ = pinned ? machine_->allocate_pinned(needs_.sources)
                       : machine_->allocate("sources", needs_.sources);
    make_resident(
        sources_, sharding_,
        [&](const void* from, std::size_t size, std::byte* to) {
            if (pinned)
                std::memcpy(to, from, size);
            else
                machine_->work().copy_in(from, size, to);
        },
        resident_.get(), machine_->tensors());
}

/// Of sources that stay in their files.
template <typename T>
std::optional<SourceStream> DeviceCandidate<T>::source_stream() {
    if (residency_.residency != Residency::mapped_files) return std::nullopt;
    window_ = machine_->allocate("window of the sources", residency_.window);
    return SourceStream(sources_, window_.get(), residency_.window,
                        machine_->stream_in(residency_.window));
}

template <typename T>
void DeviceCandidate<T>::merge(const MergePlan& plan) {
    if (!spare_) {
        machine_->merging_waits_for_work();
        merger_->merge(plan, arena_, weights_.get());
        machine_->work_waits_for_merging();
        return;
    }
    if (in_spare_ != plan) merge_into_spare(plan, false);
    machine_->work_waits_for_merging();
    machine_->copy(spare_.get(), arena_.bytes(), weights_.get());
    machine_->merging_waits_for_work();
}

template <typename T>
void DeviceCandidate<T>::prepare(const MergePlan& next) {
    if (!spare_ || in_spare_ == next) return;
    std::exception_ptr failure;
    try {
        merge_into_spare(next, true);
    } catch (...) {
        failure = std::current_exception();
    }
    // Where one rank failed all must merge again: they do so together.
    for (const char ready : group_.all_gather_values<char>(failure == nullptr))
        if (!ready) in_spare_.reset();
    if (failure) std::rethrow_exception(failure);
}

template <typename T>
void DeviceCandidate<T>::merge_into_spare(const MergePlan& plan, bool beside_work) {
    in_spare_.reset();
    beside_work_ = beside_work;
    merger_->merge(plan, arena_, spare_.get());
    in_spare_ = plan;
}

template class DeviceCandidate<float>;
template class DeviceCandidate<Bf16>;

}  // namespace galapagos::cuda
