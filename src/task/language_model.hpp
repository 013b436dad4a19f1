#pragma once

#include <functional>
#include <vector>

#include "model/requests.hpp"

namespace galapagos {

/// What a task asks of the model under evaluation. Results come in the order of the requests.
class LanguageModel {
  public:
    virtual ~LanguageModel() = default;

    virtual std::vector<Generation> generate(const std::vector<GenerationRequest>& requests,
                                             const GenerationHooks& hooks) = 0;

    /// When `keep_going` answers false the scores not yet known are NaN.
    virtual std::vector<Score> score(const std::vector<ScoreRequest>& requests,
                                     const std::function<bool()>& keep_going) = 0;
};

}  // namespace galapagos
