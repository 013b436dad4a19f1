#include "model/shard_summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace galapagos {
namespace {

[[noreturn]] void refuse_logits() {
    throw Error("The model gives no usable logits", "some are NaN or infinite",
                "look for NaN or huge weights in the sources");
}

}  // namespace

void combine_shards(std::span<const ShardSummary> shards, std::span<const HeadQuery> queries,
                    std::span<HeadAnswer> answers) {
    const size_t total = queries.size();
    for (size_t i = 0; i < total; ++i) {
        ShardSummary best = shards[i];
        bool usable = true;
        for (size_t at = i; at < shards.size(); at += total) {
            usable = usable && std::isfinite(shards[at].maximum);
            // Shards come in order of their ids: the first of equals has the lowest id.
            if (shards[at].maximum > best.maximum) best = shards[at];
        }
        if (!usable) refuse_logits();
        double sum = 0;
        float target = -std::numeric_limits<float>::infinity();
        for (size_t at = i; at < shards.size(); at += total) {
            sum += static_cast<double>(shards[at].sum_exp) *
                   std::exp(static_cast<double>(shards[at].maximum) - best.maximum);
            target = std::max(target, shards[at].target);
        }
        answers[i].argmax = best.argmax;
        answers[i].log_probability =
            queries[i].target < 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : static_cast<double>(target) - best.maximum - std::log(sum);
    }
}

}  // namespace galapagos
