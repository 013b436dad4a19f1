#include "genome/path_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "genome/search_checks.hpp"

namespace galapagos {

namespace {

/// Real indicators lie in [-1, 1], and a step is taken above 0. Their first values are two of
/// CMA-ES' default standard deviations (a sixth of the box each) away from that.
constexpr double real_indicator = 2.0 / 3.0;

/// The first candidates lie close to the start: two layers more or less cost a small model its
/// skill (jobs/quickstart). Real indicators spread as CMA-ES spreads them, scales differ little.
constexpr double flips_a_path = 1.0;
constexpr double indicator_spread = 1.0 / 6.0;
constexpr double scale_spread = 0.05;

}  // namespace

PathSpace::PathSpace(const SearchSettings& search, const MergeSettings& merge, SearchModels models)
    : models_(std::move(models)), path_(search.path), dtype_(merge.dtype) {
    check_path_settings(search, merge, models_);
    if (path_.max_hops == 0) path_.max_hops = 2 * models_.sources.front().num_layers;
    make_blocks();
    make_indicators();
    make_scales();
    check_genes(genes_);
}

void PathSpace::make_blocks() {
    for (std::size_t source = 0; source < models_.sources.size(); ++source) {
        const int layers = models_.sources[source].num_layers;
        for (int first = 0; first < layers; first += path_.block)
            blocks_.push_back({source, first, std::min(first + path_.block, layers)});
    }
}

/// "jp.12", or of several layers "jp.12-15".
std::string PathSpace::name_of(const Block& block) const {
    const std::string& source = models_.sources[block.source].name;
    return block.end == block.first + 1
               ? fmt::format("{}.{}", source, block.first)
               : fmt::format("{}.{}-{}", source, block.first, block.end - 1);
}

/// "2.jp.12": that block, the second time that it is offered.
std::string PathSpace::name_of_step(std::size_t step) const {
    return fmt::format("{}.{}", 1 + step / blocks_.size(), name_of(block_of(step)));
}

void PathSpace::make_indicators() {
    steps_ = blocks_.size() * static_cast<std::size_t>(path_.repeats);
    const bool binary = path_.indicators == PathSettings::Indicators::binary;
    for (std::size_t step = 0; step < steps_; ++step) {
        const bool starts = step < blocks_.size() && block_of(step).source == 0;
        const auto name = "use." + name_of_step(step);
        genes_.push_back(binary
                             ? Gene::binary(name, starts)
                             : Gene::real(name, -1, 1, starts ? real_indicator : -real_indicator));
        genes_.back().spread =
            binary ? std::min(0.5, flips_a_path / static_cast<double>(steps_)) : indicator_spread;
    }
}

void PathSpace::make_scales() {
    const GeneRange& scale = path_.scale;
    if (scale.fixed) return;
    const auto add = [&](const std::string& name, std::optional<std::size_t> condition) {
        genes_.push_back(Gene::real("scale." + name, scale.lower, scale.upper, scale.initial));
        genes_.back().spread = scale_spread;
        genes_.back().condition = condition;
    };
    if (path_.scales == PathSettings::Scales::steps) {
        for (std::size_t step = 0; step < steps_; ++step) add(name_of_step(step), step);
        return;
    }
    for (const Block& from : blocks_)
        for (const Block& to : blocks_)
            add(fmt::format("{}.to.{}", name_of(from), name_of(to)), std::nullopt);
}

double PathSpace::scale_of(std::size_t before, std::size_t step, const Genome& genome) const {
    if (path_.scale.fixed) return path_.scale.initial;
    if (path_.scales == PathSettings::Scales::steps) return genome[steps_ + step];
    const std::size_t blocks = blocks_.size();
    return genome[steps_ + (before % blocks) * blocks + step % blocks];
}

void PathSpace::append(LayerPath& path, const Block& block, double scale) const {
    for (int layer = block.first; layer < block.end; ++layer)
        path.hops.push_back(
            {{models_.sources[block.source].reference, layer}, layer == block.first ? scale : 1.0});
}

Recipe PathSpace::recipe_of(LayerPath path) const {
    Recipe recipe;
    recipe.method = Method::passthrough;
    recipe.layer_path = std::move(path);
    recipe.base_model = models_.base.empty() ? models_.sources.front().reference : models_.base;
    if (!dtype_.empty()) recipe.out_dtype = parse_dtype(dtype_);
    return recipe;
}

Recipe PathSpace::recipe(const Genome& genome) const {
    check_genome(genes_, genome);
    LayerPath path{path_.scale_rule, {}};
    std::optional<std::size_t> before;
    for (std::size_t step = 0; step < steps_; ++step) {
        if (genome[step] <= 0) continue;
        append(path, block_of(step), before ? scale_of(*before, step, genome) : 1.0);
        before = step;
    }
    if (path.hops.empty()) throw Error("no model", "its layer path takes no layer");
    if (static_cast<std::int64_t>(path.hops.size()) > path_.max_hops)
        throw Error("no model",
                    fmt::format("its layer path has {} hops, search.path.max_hops is {}",
                                path.hops.size(), path_.max_hops));
    return recipe_of(std::move(path));
}

std::vector<Recipe> PathSpace::forms() const {
    LayerPath path{path_.scale_rule, {}};
    for (const Block& block : blocks_) append(path, block, 1.0);
    return {recipe_of(std::move(path))};
}

}  // namespace galapagos
