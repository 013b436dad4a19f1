#include "merge/job_builder.hpp"

#include <algorithm>
#include <cmath>

#include "base/hash.hpp"

namespace galapagos {

namespace {

StoredTensor stored(const MergeInput& input,
                    const std::vector<std::shared_ptr<const Source>>& sources) {
    const TensorView view = sources[static_cast<std::size_t>(input.source)]->tensor(input.tensor);
    return {view.data, view.dtype};
}

/// Decides what is kept of an input, and what has to be known for it.
void set_sparsity(const TensorMerge& tensor, double density, JobInput& input,
                  StatisticRequest request, std::vector<StatisticRequest>& requests) {
    if (!is_sparse(tensor.method) || density >= 1) return;
    if (density <= 0 || request.count == 0) {
        input.sparsity = Sparsity::empty;
        return;
    }
    request.rescale_l1 = tensor.rescale == Rescale::l1;
    double kept = density;
    if (tensor.method == Method::ties) {
        input.sparsity = Sparsity::magnitude;
        request.kind = Statistic::magnitude;
        request.k = std::max<std::int64_t>(
            1, static_cast<std::int64_t>(density * static_cast<double>(request.count)));
        requests.push_back(request);
    } else {
        input.sparsity = Sparsity::random;
        request.kind = Statistic::masks;
        request.level = probability_level(density);
        input.keep_below = keep_limit(request.level);
        kept = static_cast<double>(request.level) / probability_levels;
        if (request.rescale_l1) requests.push_back(request);
    }
    if (tensor.rescale == Rescale::inverse_p) input.gain = static_cast<float>(input.vote / kept);
}

double weight_sum(const TensorMerge& tensor) {
    double sum = 0;
    for (const MergeInput& input : tensor.inputs) sum += input.weight;
    return sum;
}

void set_factors(const TensorMerge& tensor, TensorJob& job) {
    if (!uses_task_vectors(tensor.method)) return;
    double factor = tensor.lambda;
    if (elects_sign(tensor.method)) {
        job.normalize = tensor.normalize;
    } else if (tensor.normalize) {
        const double sum = weight_sum(tensor);
        if (std::abs(sum) >= 1e-8) factor /= sum;
    }
    job.factor = static_cast<float>(factor);
}

}  // namespace

void build_job(const TensorMerge& tensor, const std::vector<std::shared_ptr<const Source>>& sources,
               std::uint64_t seed, std::size_t job_number, TensorJob& job,
               std::vector<StatisticRequest>& requests) {
    job.method = tensor.method;
    job.inputs.clear();
    job.seed = seed;
    job.name_hash = fnv1a(tensor.output_name);
    job.base = tensor.base ? stored(*tensor.base, sources) : StoredTensor{};
    job.base_gain = 1;
    job.normalize = false;
    job.factor = 1;
    set_factors(tensor, job);
    const bool mean = tensor.method == Method::linear && tensor.normalize;
    const double divisor = mean ? weight_sum(tensor) : 1;
    const std::int64_t count = element_count(tensor.shape);
    for (std::size_t i = 0; i < tensor.inputs.size(); ++i) {
        const MergeInput& source = tensor.inputs[i];
        if (source.weight == 0 && tensor.method != Method::slerp) continue;
        JobInput input;
        input.tensor = stored(source, sources);
        input.gain = static_cast<float>(source.weight / divisor);
        input.vote = static_cast<float>(source.weight);
        input.position = static_cast<std::uint32_t>(i);
        StatisticRequest request;
        request.job = job_number;
        request.input = job.inputs.size();
        request.count = count;
        request.t = tensor.t;
        if (tensor.method == Method::slerp) requests.push_back(request);
        set_sparsity(tensor, source.density, input, request, requests);
        job.inputs.push_back(input);
    }
}

void compute_outcomes(const std::vector<TensorJob>& jobs,
                      const std::vector<StatisticRequest>& requests,
                      const std::vector<std::size_t>& mine, SourceStatistics& statistics,
                      std::vector<CutRequest>& cuts, std::vector<Outcome>& outcomes) {
    std::size_t used = 0;
    for (const std::size_t number : mine) {
        const StatisticRequest& request = requests[number];
        const TensorJob& job = jobs[request.job];
        const JobInput& input = job.inputs[request.input];
        const DeltaPair pair{job.base, input.tensor, request.count};
        Outcome& outcome = outcomes[number];
        outcome = {};
        if (request.kind == Statistic::slerp) {
            const SlerpCoefficients coefficients = slerp_coefficients(
                statistics.pair(job.base, input.tensor, request.count), request.t);
            outcome.base_gain = coefficients.a;
            outcome.gain = coefficients.b;
        } else if (request.kind == Statistic::masks) {
            const DeltaStatistics& known =
                statistics.with_masks(pair, {job.seed, job.name_hash, input.position});
            outcome.gain =
                l1_rescale(known.fixed, known.masks->total(), known.masks->kept(request.level));
        } else {
            const DeltaStatistics& known = statistics.with_ladder(pair);
            if (cuts.size() == used) cuts.emplace_back();
            CutRequest& cut = cuts[used++];
            cut.pair = pair;
            cut.ladder = known.ladder.get();
            cut.fixed = known.fixed;
            cut.k = request.k;
        }
    }
    find_cuts(std::span(cuts).first(used));
    used = 0;
    for (const std::size_t number : mine) {
        if (requests[number].kind != Statistic::magnitude) continue;
        const CutRequest& cut = cuts[used++];
        outcomes[number].threshold = cut.threshold;
        outcomes[number].last_tie = cut.last_tie;
        if (requests[number].rescale_l1)
            outcomes[number].gain = l1_rescale(cut.fixed, cut.ladder->total(), cut.kept_sum);
    }
}

void apply_outcome(const StatisticRequest& request, const Outcome& outcome, TensorJob& job) {
    JobInput& input = job.inputs[request.input];
    if (request.kind == Statistic::slerp) {
        job.base_gain = static_cast<float>(outcome.base_gain);
        input.gain = static_cast<float>(outcome.gain);
        return;
    }
    if (request.rescale_l1) input.gain = static_cast<float>(input.vote * outcome.gain);
    if (request.kind == Statistic::magnitude) {
        input.threshold = outcome.threshold;
        input.last_tie = outcome.last_tie;
    }
}

}  // namespace galapagos
