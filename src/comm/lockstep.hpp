// Ranks that take the same steps and add up what they count in them.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <span>

#include "comm/tensor_group.hpp"

namespace galapagos {

/// What fails on one rank, anywhere between two exchanges, fails on all of them at the next one,
/// with the lowest one's error: none waits for numbers that won't come.
class Lockstep {
  public:
    /// The group must outlive it.
    explicit Lockstep(TensorGroup& group) : group_(&group) {}

    /// Collective. All ranks must come to the same exchanges in the same order; the end of the
    /// steps is one too.
    void run(const std::function<void()>& steps);

    /// Puts the sum over all ranks into `numbers`, which `count` fills with this rank's. Within
    /// `run`, as what follows.
    void add_up(std::span<std::int64_t> numbers, const std::function<void()>& count);
    /// The largest that any rank finds.
    std::uint32_t largest(const std::function<std::uint32_t()>& find);

    TensorGroup& group() const { return *group_; }

  private:
    std::exception_ptr failure_of(const std::function<void()>& step) const;
    void exchange(const std::exception_ptr& failure);

    TensorGroup* group_;
    bool failed_ = false;  ///< and all ranks know
};

}  // namespace galapagos
