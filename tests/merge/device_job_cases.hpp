// Random merge jobs of every method, for the GPU's kernels.
#pragma once

#include <bit>
#include <memory>
#include <utility>

#include "merge/arcee_fusion.hpp"
#include "merge/cuda/device_job.hpp"
#include "merge/della.hpp"
#include "merge/device_job_draws.hpp"
#include "merge/ram.hpp"
#include "merge/random_mask.hpp"
#include "merge/sce.hpp"

namespace galapagos::test {

/// The bit pattern of |delta| at an element.
inline std::uint32_t key_at(std::int64_t element, const TensorJob& job, const JobInput& input) {
    float base = 0, source = 0;
    load_block(job.base, element, 1, &base);
    load_block(input.tensor, element, 1, &source);
    return std::bit_cast<std::uint32_t>(source - base) & 0x7FFFFFFFu;
}

/// Cuts at two elements' magnitudes, with the ties up to just these elements or up to others.
inline void draw_cuts(Draw& draw, const TensorJob& job, JobInput& input) {
    std::int64_t low = draw.below(job.count), high = draw.below(job.count);
    if (key_at(low, job, input) > key_at(high, job, input)) std::swap(low, high);
    input.threshold = key_at(low, job, input);
    if (draw.coin()) input.last_tie = draw.coin() ? low : draw.below(job.count);
    if (draw.coin()) return;
    input.ceiling = key_at(high, job, input);
    if (draw.coin()) input.last_dropped_tie = draw.coin() ? high : draw.below(job.count);
}

/// Thins as any method may. Ranks stay in memory with the case.
inline void draw_sparsity(Draw& draw, DeviceJobCase& made, JobInput& input) {
    const TensorJob& job = made.job;
    input.sparsity =
        draw.one_of({Sparsity::dense, Sparsity::magnitude, Sparsity::magnitude, Sparsity::random,
                     Sparsity::random, Sparsity::by_rank, Sparsity::empty});
    const double density = 0.1 + 0.1 * static_cast<double>(draw.below(9));
    if (input.sparsity == Sparsity::magnitude) draw_cuts(draw, job, input);
    if (input.sparsity == Sparsity::random)
        input.keep_below = keep_limit(probability_level(density));
    if (input.sparsity == Sparsity::by_rank) {
        set_rank_probabilities(density, draw.one_of({0.0, 0.05, 0.1}), input);
        input.inverse_p = draw.coin();
        input.ranks =
            made.ranks
                .emplace_back(magnitude_ranks({job.base, input.tensor, job.count}, job.row_length))
                .data();
    }
}

/// A factor for each row, for each column, or for a single row of all elements.
inline std::shared_ptr<const LineFactors> drawn_lines(Draw& draw, const TensorJob& job) {
    auto lines = std::make_shared<LineFactors>();
    lines->columns = draw.coin();
    lines->length = lines->columns || draw.coin() ? job.row_length : job.count;
    lines->lines = lines->columns ? lines->length : job.count / lines->length;
    lines->factors.resize(job.inputs.size() * static_cast<std::size_t>(lines->lines));
    for (float& factor : lines->factors) factor = draw.below(8) == 0 ? 0.0f : draw.normal();
    return lines;
}

/// The models' own weights, or one so small that the divisor has to be held up.
inline void settle_sce(Draw& draw, TensorJob& job) {
    job.numbers.select_topk = draw.one_of({1.0, 0.9, 0.5, 0.1, 0.0});
    const SceSettings settings = sce_settings(job);
    job.threshold = settings.cut.threshold;
    job.last_tie = settings.cut.last_tie;
    for (std::size_t i = 0; i < job.inputs.size(); ++i)
        job.inputs[i].gain = static_cast<float>(settings.weights[i]);
    if (draw.coin()) job.inputs.front().gain = draw.one_of({1e-5f, 1e-7f});
}

/// Takes the threshold that belongs to the tensor, or one that some change just reaches.
inline void settle_fusion(Draw& draw, TensorJob& job) {
    auto rows = std::make_shared<LineFactors>();
    rows->factors = row_divergences(job);
    float threshold = importance_threshold(job, rows->factors);
    if (draw.coin()) {
        const std::int64_t element = draw.below(job.count);
        threshold = std::bit_cast<float>(key_at(element, job, job.inputs.front())) *
                    rows->factors[static_cast<std::size_t>(element / job.row_length)];
    }
    job.threshold = std::bit_cast<std::uint32_t>(threshold);
    job.lines = std::move(rows);
}

/// What the whole tensor says about a job whose inputs are known.
inline void settle(Draw& draw, TensorJob& job) {
    job.base_gain = draw.normal();
    job.t = draw.one_of({0.0f, -0.1f, 1e-3f, 0.25f, 1.0f});
    job.epsilon = draw.one_of({0.0f, 1e-5f, 0.25f});
    job.numbers.epsilon = job.epsilon;
    if (job.method == Method::sce) settle_sce(draw, job);
    if (job.method == Method::arcee_fusion) settle_fusion(draw, job);
    if ((job.method == Method::nuslerp || job.method == Method::model_stock) && draw.coin())
        job.lines = drawn_lines(draw, job);
    if (job.method == Method::ramplus_tl) {
        const std::vector<double> gains = ramplus_gains(job);
        for (std::size_t i = 0; i < gains.size(); ++i)
            job.inputs[i].gain = static_cast<float>(gains[i]);
    }
}

/// How many models a method takes beside the base. Those of weight zero are left out, perhaps all.
inline std::int64_t drawn_inputs(Draw& draw, const TensorJob& job) {
    const MethodTraits& traits = traits_of(job.method);
    const int base = job.base.data == nullptr ? 0 : 1;
    if (traits.most <= 3) return std::min(2, traits.most - base);
    const bool may_be_alone = traits.adds_task_vectors || job.method == Method::linear;
    if (may_be_alone && draw.below(16) == 0) return 0;
    return 1 + draw.below(draw.below(8) == 0 ? cuda::most_inputs : 4);
}

/// Case number `index`: always the same one.
inline DeviceJobCase drawn_case(std::uint64_t index) {
    Draw draw(index);
    DeviceJobCase made;
    made.shape = draw.coin() ? Shape{1 + draw.below(40), 1 + draw.below(90)}
                             : Shape{4 * (1 + draw.below(8)), 128 * (1 + draw.below(8))};
    made.slice = drawn_slice(draw, made.shape);
    made.out_dtype = draw.one_of({DType::f32, DType::f16, DType::bf16});
    TensorJob& job = made.job;
    job.method = all_methods[static_cast<std::size_t>(draw.below(std::ssize(all_methods)))];
    job.count = element_count(made.shape);
    job.row_length = made.shape.back();
    job.rows = made.shape.front();
    job.seed = static_cast<std::uint64_t>(draw.below(std::int64_t{1} << 62));
    job.name_hash = static_cast<std::uint64_t>(draw.below(std::int64_t{1} << 62));
    job.normalize = draw.coin();
    job.factor = draw.coin() ? 1.0f : draw.normal();
    const bool coarse = draw.coin();
    const MethodTraits& traits = traits_of(job.method);
    if (traits.base == BaseUse::required || (traits.base == BaseUse::optional && draw.coin()))
        job.base = drawn_tensor(draw, coarse, made);
    const std::int64_t inputs = drawn_inputs(draw, job);
    for (std::int64_t i = 0; i < inputs; ++i) {
        JobInput input;
        input.tensor = drawn_tensor(draw, coarse, made);
        input.gain = coarse ? draw.one_of({1.0f, -1.0f, 0.5f}) : draw.normal();
        input.vote = draw.one_of({0.0f, 1.0f, input.gain});
        input.position = static_cast<std::uint32_t>(i);
        if (traits.thinning != Thinning::none) draw_sparsity(draw, made, input);
        job.inputs.push_back(input);
    }
    settle(draw, job);
    return made;
}

}  // namespace galapagos::test
