// Candidates on GPUs, in builds that have them.
#pragma once

#include "island/candidate_model.hpp"

namespace galapagos {

/// Makes candidates on the rank's current GPU, which it has to itself or shares with others.
/// Throws Error in a build without CUDA, in which no rank is given a GPU.
CandidateFactory gpu_candidates(int ranks_on_gpu, int ranks_on_node);

}  // namespace galapagos
