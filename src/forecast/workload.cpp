#include "forecast/workload.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "model/cuda/pass_part.hpp"
#include "model/cuda/sum_traffic.hpp"
#include "model/generation.hpp"
#include "model/scoring.hpp"

namespace galapagos {
namespace {

/// Notes what every pass would compute, and answers always the same.
class CountingPass final : public ForwardPass {
  public:
    explicit CountingPass(std::vector<PassWork>& passes) : passes_(passes) {}

    void set_route(const LayerRoute&) override {}

    void run(std::span<const std::int32_t> tokens, std::span<const Segment> segments,
             std::span<const std::int32_t> wanted) override {
        PassWork pass;
        pass.tokens = static_cast<std::int64_t>(tokens.size());
        pass.wanted = static_cast<std::int64_t>(wanted.size());
        for (const auto& segment : segments) {
            const auto end = segment.position + segment.count;
            pass.attention +=
                segment.count * segment.position + segment.count * (segment.count + 1) / 2;
            pass.cached += end;
        }
        passes_.push_back(pass);
    }
    void answer(std::span<const HeadQuery> queries, std::span<HeadAnswer> answers) override {
        passes_.back().queries = static_cast<std::int64_t>(queries.size());
        std::fill(answers.begin(), answers.end(), HeadAnswer{next_id, 0});
    }
    void logits(float*) override {}

    std::int32_t next_id = 0;  ///< what every row generates: no stop id

  private:
    std::vector<PassWork>& passes_;
};

class CountingModel final : public LanguageModel {
  public:
    CountingModel(const DecoderOptions& options, int new_tokens, std::vector<PassWork>& passes)
        : options_(options), new_tokens_(new_tokens), pass_(passes) {}

    std::vector<Generation> generate(const std::vector<GenerationRequest>& requests,
                                     const GenerationHooks&) override {
        auto counted = requests;
        std::set<std::int32_t> stops;
        for (auto& request : counted) {
            if (new_tokens_ > 0)
                request.max_new_tokens = std::min(request.max_new_tokens, new_tokens_);
            stops.insert(request.stop_ids.begin(), request.stop_ids.end());
        }
        for (pass_.next_id = 0; stops.contains(pass_.next_id);) ++pass_.next_id;
        return GreedyGeneration(pass_, group_, options_, counted, {}).run();
    }

    std::vector<Score> score(const std::vector<ScoreRequest>& requests,
                             const std::function<bool()>&) override {
        const std::function<bool()> goes_on;
        return Scoring(pass_, group_, options_, requests, goes_on).run();
    }

  private:
    DecoderOptions options_;
    int new_tokens_;
    CountingPass pass_;
    TensorGroup group_;
};

/// Elements of a layer's matrices.
struct LayerElements {
    double before_attention = 0;
    /// All that comes after it: only wanted tokens meet that in the last layer.
    double after_attention = 0;  ///< without the MLPs
    double mlp = 0;              ///< of one MLP
};

LayerElements layer_elements(const Architecture& a) {
    const TensorNames& names = a.layout->names;
    const auto hidden = static_cast<double>(a.hidden);
    const auto dim = static_cast<double>(a.head_dim);
    const bool gated = !names.gate.empty() || !names.gate_up.empty();
    LayerElements elements;
    elements.before_attention = hidden * dim * static_cast<double>(a.query_heads + 2 * a.kv_heads);
    elements.after_attention = hidden * static_cast<double>(a.head_dim * a.query_heads + a.experts);
    elements.mlp = (gated ? 3 : 2) * hidden * static_cast<double>(a.intermediate);
    return elements;
}

/// How many of a layer's MLPs a pass reads: experts that no token chooses stay where they are.
/// Every token is taken to choose evenly and by itself.
double mlps_read(const Architecture& a, double tokens) {
    if (a.experts == 0) return 1;
    const auto experts = static_cast<double>(a.experts);
    const double passed_over = 1 - static_cast<double>(a.experts_per_token) / experts;
    return experts * (1 - std::pow(passed_over, tokens));
}

}  // namespace

PassWork Workload::total() const {
    PassWork sum;
    for (const auto& pass : passes) {
        sum.tokens += pass.tokens;
        sum.wanted += pass.wanted;
        sum.queries += pass.queries;
        sum.attention += pass.attention;
        sum.cached += pass.cached;
    }
    return sum;
}

Workload count_workload(const std::vector<std::unique_ptr<const PreparedTask>>& tasks,
                        const DecoderOptions& options, int new_tokens) {
    Workload workload;
    CountingModel model(options, new_tokens, workload.passes);
    for (const auto& task : tasks)
        if (task) task->evaluate(model, {});
    return workload;
}

double pass_flops(const Architecture& a, const PassWork& pass) {
    const auto tokens = static_cast<double>(pass.tokens);
    const auto wanted = static_cast<double>(pass.wanted);
    const auto layers = static_cast<double>(a.layers);
    const LayerElements layer = layer_elements(a);
    const auto mlps = a.experts == 0 ? 1.0 : static_cast<double>(a.experts_per_token);
    const double late = layer.after_attention + mlps * layer.mlp;
    const double matrices =
        (layer.before_attention + late) * layers * tokens - late * (tokens - wanted);
    const double head = static_cast<double>(a.hidden * a.vocabulary) * wanted;
    const double attention = 2 * static_cast<double>(a.query_heads * a.head_dim) * layers *
                             static_cast<double>(pass.attention);
    return 2 * (matrices + head + attention);
}

double pass_bytes(const Architecture& a, DType dtype, const PassWork& pass) {
    const auto element = static_cast<double>(size_of(dtype));
    const auto layers = static_cast<double>(a.layers);
    const LayerElements layer = layer_elements(a);
    const double mlps = mlps_read(a, static_cast<double>(pass.tokens)) * (layers - 1) +
                        mlps_read(a, static_cast<double>(pass.wanted));
    double elements = (layer.before_attention + layer.after_attention) * layers + mlps * layer.mlp;
    if (pass.wanted > 0) elements += static_cast<double>(a.hidden * a.vocabulary);
    elements += 2 * static_cast<double>(a.kv_heads * a.head_dim) * layers *
                static_cast<double>(pass.cached);
    return elements * element;
}

double pass_collective_bytes(const Architecture& a, const PassWork& pass) {
    const auto tokens = static_cast<double>(pass.tokens);
    const auto rows =
        tokens * static_cast<double>(1 + 2 * (a.layers - 1)) + 2 * static_cast<double>(pass.wanted);
    return rows * static_cast<double>(a.hidden) * sizeof(float) +
           16 * static_cast<double>(pass.queries);
}

SumTime pass_sums(const Architecture& a, const DecoderOptions& options, int width,
                  const PassWork& pass) {
    SumTime time;
    if (width == 1) return time;
    time.beside = cuda::goes_in_halves(pass.tokens, width);
    const auto add = [&](std::int64_t sums, std::int64_t rows, bool beside) {
        const cuda::RankSum sum{width, rows * a.hidden,
                                static_cast<std::int64_t>(size_of(options.dtype))};
        const cuda::SumWay way = sum.way(options.reductions, beside);
        time.bytes += static_cast<double>(sums) * sum.received(way);
        time.collectives += static_cast<int>(sums) * (beside ? 2 : 1) * sum.collectives(way);
    };
    add(1, pass.tokens, false);
    add(2 * (a.layers - 1), pass.tokens, time.beside);
    add(2, pass.wanted, time.beside && pass.wanted == pass.tokens);
    return time;
}

}  // namespace galapagos
