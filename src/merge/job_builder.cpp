#include "merge/job_builder.hpp"

#include <algorithm>
#include <cmath>

#include "base/hash.hpp"
#include "merge/della.hpp"

namespace galapagos {

namespace {

StoredTensor stored(const MergeInput& input,
                    const std::vector<std::shared_ptr<const Source>>& sources) {
    const TensorView view = sources[static_cast<std::size_t>(input.source)]->tensor(input.tensor);
    return {view.data, view.dtype};
}

/// Breadcrumbs: how many of the largest are dropped, and how many are kept below them.
void set_middle(double density, double gamma, StatisticRequest& request) {
    const auto count = static_cast<double>(request.count);
    request.k = static_cast<std::int64_t>(density * count);
    const auto largest = static_cast<std::int64_t>(gamma * count);
    const std::int64_t smallest = std::max<std::int64_t>(0, request.count - request.k - largest);
    request.dropped = request.count - request.k - smallest;
}

/// Decides what is kept of an input, and what has to be known for it.
void set_sparsity(const TensorMerge& tensor, const MergeInput& source, JobInput& input,
                  StatisticRequest request, std::vector<StatisticRequest>& requests) {
    const Thinning thinning = traits_of(tensor.method).thinning;
    const double density = source.density;
    if (thinning == Thinning::none || density >= 1) return;
    if (density <= 0 || request.count == 0) {
        input.sparsity = Sparsity::empty;
        return;
    }
    request.rescale_l1 = tensor.rescale == Rescale::l1;
    double kept = density;
    if (thinning == Thinning::largest || thinning == Thinning::middle) {
        request.kind = Statistic::magnitude;
        request.k = std::max<std::int64_t>(
            1, static_cast<std::int64_t>(density * static_cast<double>(request.count)));
        if (thinning == Thinning::middle) set_middle(density, source.gamma, request);
        input.sparsity = request.k > 0 ? Sparsity::magnitude : Sparsity::empty;
        if (request.k > 0) requests.push_back(request);
    } else if (thinning == Thinning::by_rank) {
        input.sparsity = Sparsity::by_rank;
        set_rank_probabilities(density, source.epsilon, input);
        input.inverse_p = tensor.rescale == Rescale::inverse_p;
        request.kind = Statistic::rank_masks;
        if (request.rescale_l1) requests.push_back(request);
        return;
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

/// Methods whose inputs' factors depend on all inputs together.
bool is_settled_together(const TensorMerge& tensor) {
    switch (tensor.method) {
        case Method::model_stock:
            return !tensor.numbers.filter_wise;
        case Method::nuslerp:
            return tensor.numbers.flatten;
        case Method::multislerp:
        case Method::karcher:
        case Method::sce:
        case Method::ramplus_tl:
        case Method::arcee_fusion:
            return true;
        default:
            return false;
    }
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
    job.t = static_cast<float>(tensor.t);
    job.epsilon = static_cast<float>(tensor.numbers.epsilon);
    job.threshold = 0;
    job.last_tie = std::numeric_limits<std::int64_t>::max();
    job.lines.reset();
    job.numbers = tensor.numbers;
    const std::int64_t count = element_count(tensor.shape);
    job.count = count;
    job.row_length = tensor.shape.empty() ? 1 : tensor.shape.back();
    job.rows = tensor.shape.empty() ? 1 : tensor.shape.front();
    const MethodTraits& method = traits_of(tensor.method);
    const bool mean = tensor.normalize &&
                      (tensor.method == Method::linear || tensor.method == Method::multislerp);
    const double divisor = mean ? weight_sum(tensor) : 1;
    const bool weightless = method.adds_task_vectors || tensor.method == Method::linear ||
                            tensor.method == Method::passthrough;
    for (std::size_t i = 0; i < tensor.inputs.size(); ++i) {
        const MergeInput& source = tensor.inputs[i];
        if (source.weight == 0 && weightless) continue;
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
        if (is_settled_together(tensor)) {
            request.kind = Statistic::whole_job;
            requests.push_back(request);
        }
        set_sparsity(tensor, source, input, request, requests);
        job.inputs.push_back(input);
    }
    // A base alone is what comes out.
    if (job.inputs.empty() && tensor.base) job.method = Method::task_arithmetic;
}

}  // namespace galapagos
