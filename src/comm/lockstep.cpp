#include "comm/lockstep.hpp"

#include <algorithm>
#include <vector>

#include "comm/agreement.hpp"

namespace galapagos {

void Lockstep::run(const std::function<void()>& steps) {
    failed_ = false;
    const std::exception_ptr failure = failure_of(steps);
    if (failed_) std::rethrow_exception(failure);
    exchange(failure);
}

void Lockstep::add_up(std::span<std::int64_t> numbers, const std::function<void()>& count) {
    exchange(failure_of(count));
    group_->all_reduce_sum(numbers);
}

std::uint32_t Lockstep::largest(const std::function<std::uint32_t()>& find) {
    std::uint32_t own = 0;
    exchange(failure_of([&] { own = find(); }));
    const std::vector<std::uint32_t> all = group_->all_gather_values(own);
    return *std::max_element(all.begin(), all.end());
}

std::exception_ptr Lockstep::failure_of(const std::function<void()>& step) const {
    try {
        step();
    } catch (const std::exception&) {
        return std::current_exception();
    }
    return nullptr;
}

/// A flag of each rank; what the failure was is told only if there is one.
void Lockstep::exchange(const std::exception_ptr& failure) {
    const std::vector<char> failed = group_->all_gather_values<char>(failure != nullptr);
    if (std::find(failed.begin(), failed.end(), 1) == failed.end()) return;
    failed_ = true;
    agree(group_->communicator(), [&] {
        if (failure) std::rethrow_exception(failure);
    });
}

}  // namespace galapagos
