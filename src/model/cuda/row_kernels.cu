#include "model/cuda/forward_kernels.hpp"
#include "model/cuda/launch.cuh"

namespace galapagos::cuda {

void run_kernel(const ClearSums& job, const Stream& stream) { launch(job, stream); }
void run_kernel(const AddExpert& job, const Stream& stream) { launch(job, stream); }

#define GALAPAGOS_KERNEL(Job)                                   \
    template <typename T>                                       \
    void run_kernel(const Job<T>& job, const Stream& stream) {  \
        launch(job, stream);                                    \
    }                                                           \
    template void run_kernel(const Job<float>&, const Stream&); \
    template void run_kernel(const Job<Bf16>&, const Stream&);

GALAPAGOS_KERNEL(EmbedTokens)
GALAPAGOS_KERNEL(NormRows)
GALAPAGOS_KERNEL(PlaceHeads)
GALAPAGOS_KERNEL(JoinStretches)
GALAPAGOS_KERNEL(MultiplyRow)
GALAPAGOS_KERNEL(Activate)
GALAPAGOS_KERNEL(AddRows)
GALAPAGOS_KERNEL(RoundSums)
GALAPAGOS_KERNEL(GatherRows)
GALAPAGOS_KERNEL(ChooseExperts)
GALAPAGOS_KERNEL(WidenLogits)
GALAPAGOS_KERNEL(SummariseLogits)

#undef GALAPAGOS_KERNEL

}  // namespace galapagos::cuda
