// What a run's scores depend on besides its config: the sources' weights, the tasks, the tokenizer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "history/run_index.hpp"
#include "island/island_search.hpp"

namespace galapagos {

std::vector<IndexSource> index_sources(const Config& config,
                                       const std::vector<std::shared_ptr<const Source>>& models);

/// The tasks, and the tokenizer of the first model.
std::vector<IndexInput> index_inputs(const std::vector<WeightedTask>& tasks,
                                     const Source& first_model);

/// A history holds scores of one set of inputs: throws UsageError, beginning with `run`, that names
/// what another attempt of the run had otherwise. What that attempt did not note is not compared.
void require_same_inputs(const std::string& run, const RunIndex& before, const RunIndex& now);

}  // namespace galapagos
