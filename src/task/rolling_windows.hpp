#pragma once

#include <cstdint>
#include <vector>

#include "model/requests.hpp"

namespace galapagos {

/// Windows over a long text in which every id is predicted exactly once, as lm-evaluation-harness's
/// rolling log-likelihood has them: full windows predict `window` ids from one id of context
/// (`prefix` at first); the last, shorter one takes as many earlier ids for context as fit. A row
/// holds at most window + 1 ids.
std::vector<ScoreRequest> rolling_windows(const std::vector<std::int32_t>& ids, std::int32_t prefix,
                                          int window);

}  // namespace galapagos
