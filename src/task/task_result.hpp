#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace galapagos {

/// A named number beside the score.
struct Metric {
    std::string name;
    double value = 0;
};

/// How a model did on one split of a task. Vectors follow the order of the items.
struct TaskResult {
    double score = 0;  // higher is better; NaN if not complete
    std::vector<float>
        item_scores;  // a row of the answer matrix; NaN for items that weren't reached
    std::vector<std::string>
        answers;  // generate: the whole text; multiple_choice: the chosen one; else empty
    std::vector<Metric> metrics;  // every metric of the kind, the one that is the score included
    std::int64_t tokens = 0;      // given to the model and generated
    std::int64_t generated_tokens = 0;
    bool complete = true;  // false: stopped between two batches
};

}  // namespace galapagos
