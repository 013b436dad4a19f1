// The kernels of the forward pass, queued on a stream. T is float or Bf16.
#pragma once

#include "comm/cuda/stream.hpp"
#include "model/cuda/attend.hpp"
#include "model/cuda/attend_tiles.hpp"
#include "model/cuda/experts.hpp"
#include "model/cuda/join_stretches.hpp"
#include "model/cuda/multiply_row.hpp"
#include "model/cuda/norm_rows.hpp"
#include "model/cuda/place_heads.hpp"
#include "model/cuda/row_jobs.hpp"
#include "model/cuda/summarise_logits.hpp"

namespace galapagos::cuda {

template <typename T>
void run_kernel(const EmbedTokens<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const NormRows<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const PlaceHeads<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const AttendTokens<T>& job, const Stream& stream);
void run_kernel(const AttendTiles& job, const Stream& stream);
template <typename T>
void run_kernel(const JoinStretches<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const MultiplyRow<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const Activate<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const AddRows<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const RoundSums<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const GatherRows<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const ChooseExperts<T>& job, const Stream& stream);
void run_kernel(const ClearSums& job, const Stream& stream);
void run_kernel(const AddExpert& job, const Stream& stream);
template <typename T>
void run_kernel(const WidenLogits<T>& job, const Stream& stream);
template <typename T>
void run_kernel(const SummariseLogits<T>& job, const Stream& stream);

}  // namespace galapagos::cuda
