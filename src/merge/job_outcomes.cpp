// What whole-tensor statistics say about the jobs of a candidate.
#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

#include "merge/combination.hpp"
#include "merge/gram.hpp"
#include "merge/job_builder.hpp"
#include "merge/ram.hpp"

namespace galapagos {

namespace {

/// nuslerp's position between its two models.
double position_of(const TensorJob& job) {
    constexpr double smallest_sum = 1e-6;
    const double first = job.inputs[0].vote, second = job.inputs[1].vote;
    const double sum = first + second;
    return std::abs(sum) < smallest_sum ? 0.5 : second / sum;
}

std::vector<double> combination(const TensorJob& job, const Gram& gram) {
    switch (job.method) {
        case Method::model_stock:
            return model_stock_gains(gram);
        case Method::nuslerp:
            return nuslerp_gains(gram, position_of(job));
        case Method::karcher:
            return karcher_gains(gram, job.numbers.max_iter, job.numbers.tol);
        default: {
            std::vector<double> weights;
            for (const JobInput& input : job.inputs) weights.push_back(input.gain);
            return multislerp_gains(gram, weights, job.numbers.eps);
        }
    }
}

/// The outcomes of all inputs of a job.
std::vector<Outcome> settle_job(const TensorJob& job, SourceStatistics& statistics) {
    std::vector<Outcome> outcomes(job.inputs.size());
    std::vector<double> gains;
    if (job.count == 0) return outcomes;
    if (job.method == Method::arcee_fusion) {
        outcomes[0].threshold =
            std::bit_cast<std::uint32_t>(*statistics.fusion(job, true).threshold);
        return outcomes;
    }
    if (job.method == Method::sce) {
        const SceSettings& settings = statistics.sce(job);
        gains = settings.weights;
        for (Outcome& outcome : outcomes) {
            outcome.threshold = settings.cut.threshold;
            outcome.last_tie = settings.cut.last_tie;
        }
    } else if (job.method == Method::ramplus_tl) {
        gains = ramplus_gains(job, statistics.passes());
    } else {
        const bool deltas = job.base.data != nullptr;
        gains = combination(
            job, Gram(job.inputs.size(),
                      statistics.products(job, deltas, SourceStatistics::Products::whole)));
    }
    for (std::size_t i = 0; i < gains.size(); ++i) outcomes[i].gain = gains[i];
    return outcomes;
}

std::shared_ptr<const LineFactors> line_factors(const TensorJob& job,
                                                SourceStatistics& statistics) {
    auto lines = std::make_shared<LineFactors>();
    lines->columns = job.method == Method::nuslerp && job.numbers.row_wise;
    const std::int64_t columns = job.count / std::max<std::int64_t>(1, job.rows);
    lines->length = lines->columns ? columns : job.row_length;
    // A vector is a single row either way.
    if (job.count == job.rows) {
        lines->columns = false;
        lines->length = job.count;
    }
    lines->lines = lines->columns ? columns : job.count / std::max<std::int64_t>(1, lines->length);
    const std::vector<double>& products = statistics.products(
        job, job.base.data != nullptr,
        lines->columns ? SourceStatistics::Products::columns : SourceStatistics::Products::rows);
    const std::size_t inputs = job.inputs.size();
    const std::size_t pairs = Gram::pairs(inputs);
    const auto count = static_cast<std::size_t>(lines->lines);
    lines->factors.resize(inputs * count);
    for (std::size_t line = 0; line < count; ++line) {
        const Gram gram(inputs, std::span(products).subspan(line * pairs, pairs));
        const std::vector<double> gains = combination(job, gram);
        for (std::size_t i = 0; i < inputs; ++i)
            lines->factors[i * count + line] = static_cast<float>(gains[i]);
    }
    return lines;
}

}  // namespace

void add_tables(TensorJob& job, SourceStatistics& statistics) {
    if (job.count == 0) return;
    const bool by_line = (job.method == Method::model_stock && job.numbers.filter_wise) ||
                         (job.method == Method::nuslerp && !job.numbers.flatten);
    if (by_line) job.lines = line_factors(job, statistics);
    if (job.method == Method::arcee_fusion) {
        auto lines = std::make_shared<LineFactors>();
        lines->factors = statistics.fusion(job, false).divergences;
        job.lines = std::move(lines);
    }
    for (JobInput& input : job.inputs)
        if (input.sparsity == Sparsity::by_rank)
            input.ranks = statistics.ranks({job.base, input.tensor, job.count}, job.row_length);
}

bool is_counted(const StatisticRequest& request, const TensorJob& job) {
    if (request.kind != Statistic::whole_job) return request.kind != Statistic::slerp;
    return job.method == Method::ramplus_tl || job.method == Method::sce;
}

void compute_outcomes(const std::vector<TensorJob>& jobs,
                      const std::vector<StatisticRequest>& requests,
                      const std::vector<std::size_t>& mine, SourceStatistics& statistics,
                      std::vector<CutRequest>& cuts, std::vector<Outcome>& outcomes) {
    std::size_t used = 0;
    std::vector<Outcome> together;
    std::vector<RankThinning> thinnings;
    std::vector<Outcome*> thinned;
    std::size_t together_of = jobs.size();
    const auto add_cut = [&](const DeltaPair& pair, std::int64_t k) {
        DeltaLadder& ladder = statistics.ladder(pair);
        if (cuts.size() == used) cuts.emplace_back();
        CutRequest& cut = cuts[used++];
        cut.ladder = &ladder;
        cut.k = k;
    };
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
            const DeltaStatistics& known = statistics.with_masks(pair, mask_stream(job, input));
            outcome.gain =
                l1_rescale(known.fixed, known.masks->total(), known.masks->kept(request.level));
        } else if (request.kind == Statistic::rank_masks) {
            thinnings.push_back(
                {pair, statistics.plain(pair).fixed, &input, mask_stream(job, input), {}});
            thinned.push_back(&outcome);
        } else if (request.kind == Statistic::whole_job) {
            if (together_of != request.job) together = settle_job(job, statistics);
            together_of = request.job;
            outcome = together[request.input];
        } else {
            add_cut(pair, request.dropped + request.k);
            if (request.dropped > 0) add_cut(pair, request.dropped);
        }
    }
    statistics.passes().thin(thinnings);
    for (std::size_t i = 0; i < thinnings.size(); ++i)
        thinned[i]->gain =
            l1_rescale(thinnings[i].fixed, thinnings[i].norms.total, thinnings[i].norms.kept);
    find_cuts(std::span(cuts).first(used), statistics.passes());
    used = 0;
    for (const std::size_t number : mine) {
        if (requests[number].kind != Statistic::magnitude) continue;
        const CutRequest& cut = cuts[used++];
        Outcome& outcome = outcomes[number];
        outcome.threshold = cut.threshold;
        outcome.last_tie = cut.last_tie;
        std::int64_t kept = cut.kept_sum;
        if (requests[number].dropped > 0) {
            const CutRequest& top = cuts[used++];
            outcome.ceiling = top.threshold;
            outcome.last_dropped_tie = top.last_tie;
            kept -= top.kept_sum;
        }
        if (requests[number].rescale_l1)
            outcome.gain = l1_rescale(cut.ladder->fixed_point(), cut.ladder->total(), kept);
    }
}

void apply_outcome(const StatisticRequest& request, const Outcome& outcome, TensorJob& job) {
    JobInput& input = job.inputs[request.input];
    if (request.kind == Statistic::slerp) {
        job.base_gain = static_cast<float>(outcome.base_gain);
        input.gain = static_cast<float>(outcome.gain);
        return;
    }
    if (request.kind == Statistic::whole_job) {
        input.gain = static_cast<float>(outcome.gain);
        job.threshold = outcome.threshold;
        job.last_tie = outcome.last_tie;
        return;
    }
    if (request.rescale_l1) input.gain = static_cast<float>(input.vote * outcome.gain);
    if (request.kind == Statistic::magnitude) {
        input.threshold = outcome.threshold;
        input.last_tie = outcome.last_tie;
        input.ceiling = outcome.ceiling;
        input.last_dropped_tie = outcome.last_dropped_tie;
    }
}

}  // namespace galapagos
