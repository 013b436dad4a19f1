#pragma once

#include <memory>

#include "task/prepared_task.hpp"

namespace galapagos {

/// The four kinds of prepared tasks, each in a file of its own; `prepare` picks one by the
/// settings.
std::unique_ptr<PreparedTask> prepare_generate(const Task&, Split, const Tokenizer&,
                                               const PrepareOptions&);
std::unique_ptr<PreparedTask> prepare_multiple_choice(const Task&, Split, const Tokenizer&,
                                                      const PrepareOptions&);
std::unique_ptr<PreparedTask> prepare_loglikelihood(const Task&, Split, const Tokenizer&,
                                                    const PrepareOptions&);
std::unique_ptr<PreparedTask> prepare_perplexity(const Task&, Split, const Tokenizer&,
                                                 const PrepareOptions&);

/// Mean of item scores, summed from left to right; NaN if one is NaN.
double mean_of(const std::vector<float>& scores);

}  // namespace galapagos
