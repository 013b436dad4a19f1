// Where a device pass has its work done: kernels, products and copies, one after the other. On a
// GPU they are queued on a stream; a test does them at once.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <variant>

#include "model/cuda/attend.hpp"
#include "model/cuda/attend_tiles.hpp"
#include "model/cuda/experts.hpp"
#include "model/cuda/join_stretches.hpp"
#include "model/cuda/multiply_row.hpp"
#include "model/cuda/norm_rows.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/cuda/row_jobs.hpp"
#include "model/cuda/summarise_logits.hpp"
#include "model/linear.hpp"

namespace galapagos::cuda {

/// One kernel with what it works on.
template <typename T>
using ForwardJob = std::variant<EmbedTokens<T>, NormRows<T>, PlaceHeads<T>, AttendTokens<T>,
                                AttendTiles, JoinStretches<T>, MultiplyRow<T>, Activate<T>,
                                AddRows<T>, RoundSums<T>, GatherRows<T>, ChooseExperts<T>,
                                ClearSums, AddExpert, WidenLogits<T>, SummariseLogits<T>>;

/// What the jobs of a decoding step depend on, apart from what lies in the device's memory.
struct StepShape {
    std::int64_t rows = 0;
    std::int64_t stretches = 0;  ///< blocks that share out the longest row's positions

    auto operator<=>(const StepShape&) const = default;
};

/// All addresses are the device's but those of the host that copies name.
template <typename T>
class DeviceWork {
  public:
    virtual ~DeviceWork() = default;

    /// Memory for as long as the work lives. Called while a pass is made, never later.
    virtual std::byte* reserve(std::size_t bytes) = 0;
    /// The same for what ranks exchange, of one size on all of them. Collective: what fails there
    /// fails on all.
    virtual std::byte* reserve_exchanged(std::size_t bytes) = 0;

    virtual void run(const ForwardJob<T>& job) = 0;

    /// As `galapagos::multiply` and `linear_partial`.
    virtual void multiply(const T* input, std::int64_t rows,
                          std::span<const Product<T>> products) = 0;
    virtual void multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                                  float* output) = 0;

    /// `shares`: [ranks][count]. This rank's are in their place, the others' are brought.
    virtual void gather_shares(float* shares, std::int64_t count) = 0;
    /// `shares`: [ranks][count], of which each rank gets its slice, in `received`: [ranks][count].
    virtual void exchange_shares(const float* shares, float* received, std::int64_t count) = 0;
    /// `rows`: [ranks][count], as gather_shares.
    virtual void gather_rows(T* rows, std::int64_t count) = 0;
    /// `share`: [count], this rank's, which becomes the sum of all ranks', the same on each of
    /// them, made in an order of the device's own.
    virtual void sum_shares(float* share, std::int64_t count) = 0;

    /// Does what `queue` asks for after everything before it, but beside what comes after it.
    /// `number`, 0 or 1, is for `await`, which must come before the next of that number.
    virtual void beside(int number, const std::function<void()>& queue) = 0;
    /// What comes next is done after what was last asked for beside it under the number, if
    /// anything was.
    virtual void await(int number) = 0;

    /// Does what `step` asks for with these calls. Steps of one shape ask for the same with the
    /// same arguments, so that a device may record one and do it again.
    virtual void replay(const StepShape& shape, const std::function<void()>& step) = 0;
    /// Later steps are others.
    virtual void forget_steps() = 0;

    /// `from` may be used again when this returns.
    virtual void copy_in(const void* from, std::size_t bytes, void* to) = 0;
    /// The only call that waits for the device: all that came before it is done.
    virtual void copy_out(const void* from, std::size_t bytes, void* to) = 0;
};

}  // namespace galapagos::cuda
