#include "evolve/cma_es.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.hpp"
#include "evolve/box_transform.hpp"
#include "evolve/state_codec.hpp"

namespace galapagos {

namespace {

/// pycma's maxstd_boundrange.
constexpr double max_deviation = 1.0 / 3.0;
/// Below this (in box widths) merged weights no longer change.
constexpr double min_deviation = 1e-12;

size_t population_of(const OptimizerSettings& settings, size_t genes) {
    return settings.population > 0 ? settings.population : default_cma_population(genes);
}

const std::vector<Gene>& only_real(const std::vector<Gene>& genes) {
    for (const Gene& gene : genes) {
        if (gene.type != GeneType::real) {
            throw UsageError("CMA-ES can't search this space",
                             "gene " + gene.name + " is " + name_of(gene.type),
                             "fix that value, use `optimizer: {name: ga}`, or for layer paths set "
                             "search.path.indicators: real");
        }
    }
    return genes;
}

Eigen::VectorXd unbounded_start(const std::vector<Gene>& genes) {
    Eigen::VectorXd start(static_cast<Eigen::Index>(genes.size()));
    for (size_t i = 0; i < genes.size(); ++i) {
        const double share =
            (genes[i].initial - genes[i].lower) / (genes[i].upper - genes[i].lower);
        start[static_cast<Eigen::Index>(i)] = from_unit_interval(share);
    }
    return start;
}

std::span<const double> view(const Eigen::VectorXd& v) {
    return {v.data(), static_cast<size_t>(v.size())};
}

std::span<const double> view(const Eigen::MatrixXd& m) {
    return {m.data(), static_cast<size_t>(m.size())};
}

Eigen::VectorXd decode_vector(const nlohmann::json& text, size_t n) {
    const auto values = decode_doubles(text, n);
    return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(n));
}

Eigen::MatrixXd decode_matrix(const nlohmann::json& text, size_t n) {
    const auto values = decode_doubles(text, n * n);
    const auto size = static_cast<Eigen::Index>(n);
    return Eigen::Map<const Eigen::MatrixXd>(values.data(), size, size);
}

}  // namespace

CmaEs::CmaEs(const OptimizerSettings& settings, const std::vector<Gene>& genes, uint64_t seed,
             uint32_t island)
    : OptimizerBase(only_real(genes), population_of(settings, genes.size()), seed, island,
                    EliteArchive(std::max<size_t>(16, population_of(settings, genes.size())),
                                 EliteArchive::Ties::older)),
      distribution_(
          cma_constants(genes.size(), population_of(settings, genes.size()), settings.active),
          unbounded_start(genes), settings.sigma) {
    distribution_.limit_deviation(max_deviation);
}

Genome CmaEs::into_box(const Eigen::VectorXd& point) const {
    Genome genome;
    for (size_t i = 0; i < genes().size(); ++i) {
        const Gene& gene = genes()[i];
        const double share = into_unit_interval(point[static_cast<Eigen::Index>(i)]);
        const double value = gene.lower + share * (gene.upper - gene.lower);
        genome.push_back(std::clamp(value, gene.lower, gene.upper));
    }
    return genome;
}

Eigen::VectorXd CmaEs::from_box(const Genome& genome) const {
    Eigen::VectorXd point(static_cast<Eigen::Index>(genome.size()));
    for (size_t i = 0; i < genome.size(); ++i) {
        const Gene& gene = genes()[i];
        point[static_cast<Eigen::Index>(i)] =
            from_unit_interval((genome[i] - gene.lower) / (gene.upper - gene.lower));
    }
    return point;
}

Individual CmaEs::draw(uint64_t k) {
    if (!migrants_.empty()) {
        return draw_migrant();
    }
    RandomStream random = stream(Purpose::sampling, k);
    Eigen::VectorXd z(static_cast<Eigen::Index>(genes().size()));
    for (double& value : z) {
        value = random.normal();
    }
    samples_.push_back({distribution_.sample(z), generation(), false});
    Individual candidate;
    candidate.origin = Origin::sample;
    candidate.genome = into_box(samples_.back().point);
    return candidate;
}

Individual CmaEs::draw_migrant() {
    const Evaluated migrant = migrants_.front();
    migrants_.erase(migrants_.begin());
    const Eigen::VectorXd point = from_box(migrant.genome);
    const Eigen::VectorXd limited = distribution_.limited(point);
    samples_.push_back({limited, generation(), true});
    Individual candidate;
    candidate.origin = Origin::migrant;
    candidate.parents = {migrant.id};
    // The genome of a migrant that stays in place keeps its bits, so that its fitness is known.
    candidate.genome = limited == point ? migrant.genome : into_box(limited);
    return candidate;
}

void CmaEs::learn(std::span<const Evaluated> batch) {
    std::vector<size_t> order(batch.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return batch[a].fitness > batch[b].fitness; });
    Eigen::MatrixXd ranked(static_cast<Eigen::Index>(genes().size()),
                           static_cast<Eigen::Index>(batch.size()));
    std::vector<bool> injected;
    for (size_t rank = 0; rank < order.size(); ++rank) {
        const Sample& sample = samples_[order[rank]];
        const bool current = sample.generation == generation() && !sample.injected;
        ranked.col(static_cast<Eigen::Index>(rank)) =
            current ? sample.point : distribution_.limited(sample.point);
        injected.push_back(sample.injected);
    }
    samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
    // A generation in which every candidate failed says nothing about where to go.
    if (batch[order.front()].fitness > -std::numeric_limits<double>::infinity()) {
        distribution_.update(ranked, injected);
        distribution_.limit_deviation(max_deviation);
        distribution_.keep_deviation(min_deviation);
    }
}

void CmaEs::inject(std::span<const Evaluated> migrants) {
    for (const Evaluated& migrant : migrants) {
        check_genome(genes(), migrant.genome);
        migrants_.push_back(migrant);
    }
    std::stable_sort(migrants_.begin(), migrants_.end(),
                     [](const Evaluated& a, const Evaluated& b) { return a.fitness > b.fitness; });
    migrants_.resize(std::min(migrants_.size(), std::max<size_t>(1, population_size() / 5)));
}

Diagnostics CmaEs::diagnostics() const {
    const Eigen::VectorXd deviations = distribution_.deviations();
    const auto& state = distribution_.state();
    return {{"diversity", deviations.mean()},
            {"accepted", accepted()},
            {"sigma", state.sigma},
            {"condition", distribution_.condition()},
            {"smallest_deviation", deviations.minCoeff()},
            {"largest_deviation", deviations.maxCoeff()},
            {"path_length", state.path_sigma.norm() / distribution_.constants().chi_n}};
}

nlohmann::json CmaEs::save_own() const {
    const auto& s = distribution_.state();
    auto samples = nlohmann::json::array();
    for (const Sample& sample : samples_) {
        samples.push_back({{"point", encode_doubles(view(sample.point))},
                           {"generation", sample.generation},
                           {"injected", sample.injected}});
    }
    auto migrants = nlohmann::json::array();
    for (const Evaluated& migrant : migrants_) {
        migrants.push_back(to_json(migrant));
    }
    return {{"mean", encode_doubles(view(s.mean))},
            {"sigma", encode_doubles({&s.sigma, 1})},
            {"covariance", encode_doubles(view(s.covariance))},
            {"path_sigma", encode_doubles(view(s.path_sigma))},
            {"path_c", encode_doubles(view(s.path_c))},
            {"axes", encode_doubles(view(s.axes))},
            {"lengths", encode_doubles(view(s.lengths))},
            {"updates", s.generation},
            {"decomposed_at", s.decomposed_at},
            {"samples", std::move(samples)},
            {"migrants", std::move(migrants)}};
}

void CmaEs::load_own(const nlohmann::json& state) {
    const size_t n = genes().size();
    CmaDistribution::State s;
    s.mean = decode_vector(state.at("mean"), n);
    s.sigma = decode_doubles(state.at("sigma"), 1).front();
    s.covariance = decode_matrix(state.at("covariance"), n);
    s.path_sigma = decode_vector(state.at("path_sigma"), n);
    s.path_c = decode_vector(state.at("path_c"), n);
    s.axes = decode_matrix(state.at("axes"), n);
    s.lengths = decode_vector(state.at("lengths"), n);
    s.generation = state.at("updates").get<uint64_t>();
    s.decomposed_at = state.at("decomposed_at").get<uint64_t>();
    std::deque<Sample> samples;
    for (const auto& sample : state.at("samples")) {
        samples.push_back({decode_vector(sample.at("point"), n),
                           sample.at("generation").get<uint64_t>(),
                           sample.at("injected").get<bool>()});
    }
    if (samples.size() != outstanding().size()) {
        throw Error("the state of CMA-ES is unusable",
                    "the number of its samples differs from the outstanding candidates",
                    "resume from an older checkpoint");
    }
    std::vector<Evaluated> migrants;
    for (const auto& migrant : state.at("migrants")) {
        migrants.push_back(evaluated_from_json(migrant, n));
    }
    distribution_.set_state(std::move(s));
    samples_ = std::move(samples);
    migrants_ = std::move(migrants);
}

}  // namespace galapagos
