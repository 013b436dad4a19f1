#include "app/gpu_candidates.hpp"
#include "base/error.hpp"

namespace galapagos {

CandidateFactory gpu_candidates(int, int) {
    throw Error("candidates can't be made on a GPU", "this build has no CUDA",
                "build it with cmake --preset cuda");
}

}  // namespace galapagos
