#include "merge/plan.hpp"

#include <cstring>
#include <set>

#include "base/error.hpp"
#include "merge/plan_parameters.hpp"
#include "merge/plan_slices.hpp"

namespace galapagos {

namespace {

DType promote(DType a, DType b) { return a == b ? a : DType::f32; }

void set_copied(TensorMerge& tensor, const std::vector<TensorView>& views) {
    const std::string what = "tensor '" + tensor.output_name + "' can't be merged";
    for (const TensorView& view : views) {
        if (view.dtype == DType::f64 || view.dtype == DType::f8_e4m3 ||
            view.dtype == DType::f8_e5m2)
            throw Error(what, "its element type is " + std::string(torch_name_of(view.dtype)),
                        "convert the model to float32, float16 or bfloat16");
        if (view.dtype != views.front().dtype ||
            std::memcmp(view.data, views.front().data, view.bytes()) != 0)
            throw Error(what, "it holds whole numbers that differ between the models");
    }
    tensor.copied = true;
    tensor.dtype = views.front().dtype;
    if (tensor.inputs.empty()) tensor.inputs.push_back(*tensor.base);
}

/// Shape and element type, from what the inputs of the slice have.
void set_layout(TensorMerge& tensor, const Recipe& recipe, const ResolvedSlice& slice,
                const std::vector<TensorView>& views) {
    tensor.shape = views.front().shape;
    DType promoted = views.front().dtype;
    for (std::size_t i = 0; i < views.size(); ++i) {
        if (views[i].shape != tensor.shape)
            throw Error("tensor '" + tensor.output_name + "' can't be merged",
                        "its shape is " + to_string(views[i].shape) + " in '" +
                            slice.inputs[i].model + "' but " + to_string(tensor.shape) + " in '" +
                            slice.inputs.front().model + "'");
        if (!is_mergeable(views[i].dtype)) {
            set_copied(tensor, views);
            return;
        }
        promoted = promote(promoted, views[i].dtype);
    }
    tensor.dtype = recipe.out_dtype.value_or(recipe.dtype.value_or(promoted));
}

[[noreturn]] void refuse_layer(const ResolvedSlice& slice, std::size_t input, std::int64_t offset) {
    const auto name = [&](std::size_t i) {
        return "layer " + std::to_string(slice.layer_of(i, offset)) + " of '" +
               slice.inputs[i].model + "'";
    };
    throw Error("models can't be merged",
                name(input) + " and " + name(0) + " do not hold the same tensors");
}

class Planner {
  public:
    Planner(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
            const SourceIndex& index)
        : recipe_(recipe), sources_(sources), index_(index), layouts_(sources) {}

    MergePlan plan() {
        const std::vector<ResolvedSlice> slices = resolve_slices(recipe_, index_, layouts_);
        MergePlan plan;
        plan.random_seed = recipe_.random_seed;
        plan_outer(slices.front(), &SourceLayout::before, plan);
        for (const ResolvedSlice& slice : slices) plan_layers(slice, plan);
        plan_outer(slices.back(), &SourceLayout::after, plan);
        return plan;
    }

  private:
    /// Embeddings or final norm and head: depth 0.
    void plan_outer(const ResolvedSlice& slice, std::vector<std::string> SourceLayout::*part,
                    MergePlan& plan) {
        std::set<std::string> names;
        for (const int source : slice.sources) {
            const auto& own = layouts_.of(source).*part;
            names.insert(own.begin(), own.end());
        }
        for (const std::string& name : names) {
            const std::vector<std::string> inputs(slice.sources.size(), name);
            plan.tensors.push_back(plan_tensor(slice, name, inputs, 0));
        }
    }

    void plan_layers(const ResolvedSlice& slice, MergePlan& plan) {
        const SourceLayout& first = layouts_.of(slice.sources.front());
        const std::int64_t count = slice.layers();
        std::vector<std::string> inputs(slice.sources.size());
        for (std::int64_t offset = 0; offset < count; ++offset, ++plan.layers) {
            const double t =
                count > 1 ? static_cast<double>(offset) / static_cast<double>(count - 1) : 1;
            for (const std::string& suffix : suffixes_of_layer(slice, offset)) {
                for (std::size_t i = 0; i < inputs.size(); ++i)
                    inputs[i] = layouts_.of(slice.sources[i])
                                    .tensor_name(slice.layer_of(i, offset), suffix);
                plan.tensors.push_back(
                    plan_tensor(slice, first.tensor_name(plan.layers, suffix), inputs, t));
            }
        }
    }

    /// What the tensors of a layer are called, the same in all inputs.
    const std::vector<std::string>& suffixes_of_layer(const ResolvedSlice& slice,
                                                      std::int64_t offset) {
        const auto suffixes = [&](std::size_t i) -> const std::vector<std::string>& {
            const auto layer = static_cast<std::size_t>(slice.layer_of(i, offset));
            return layouts_.of(slice.sources[i]).layers[layer];
        };
        for (std::size_t i = 1; i < slice.sources.size(); ++i)
            if (suffixes(i) != suffixes(0)) refuse_layer(slice, i, offset);
        return suffixes(0);
    }

    TensorMerge plan_tensor(const ResolvedSlice& slice, const std::string& output,
                            const std::vector<std::string>& names, double t) const {
        TensorMerge tensor;
        tensor.output_name = output;
        tensor.method = recipe_.method;
        std::vector<TensorView> views;
        for (std::size_t i = 0; i < names.size(); ++i) {
            MergeInput input;
            input.source = slice.sources[i];
            const Source& source = *sources_[static_cast<std::size_t>(input.source)];
            input.tensor = stored_name(source, names[i]);
            views.push_back(source.tensor(input.tensor));
            if (is_base(slice, i)) {
                tensor.base = std::move(input);
                continue;
            }
            set_input_parameters(input, recipe_, slice, i, t);
            tensor.inputs.push_back(std::move(input));
        }
        set_layout(tensor, recipe_, slice, views);
        set_shared_parameters(tensor, recipe_, slice, t);
        return tensor;
    }

    /// Whether an input of a slice is the base that the method tells from the others.
    bool is_base(const ResolvedSlice& slice, std::size_t input) const {
        return traits_of(recipe_.method).base != BaseUse::ignored &&
               static_cast<int>(input) == slice.base;
    }

    const Recipe& recipe_;
    const std::vector<std::shared_ptr<const Source>>& sources_;
    const SourceIndex& index_;
    SourceLayouts layouts_;
};

std::string reference_of(const SourceSpec& spec) {
    std::string reference = spec.model.string();
    if (spec.adapter) reference.append("+").append(spec.adapter->string());
    return reference;
}

}  // namespace

SourceIndex index_sources(const std::vector<std::shared_ptr<const Source>>& sources) {
    SourceIndex index;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        index.emplace(sources[i]->name(), static_cast<int>(i));
        index.emplace(reference_of(sources[i]->spec()), static_cast<int>(i));
    }
    return index;
}

MergePlan make_plan(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
                    const SourceIndex& index) {
    return Planner(recipe, sources, index).plan();
}

std::vector<std::shared_ptr<const Source>> open_sources(const Recipe& recipe,
                                                        SourceOptions options) {
    const auto open = [&](const std::string& reference) {
        SourceSpec spec = parse_source_reference(reference);
        spec.name = reference;
        return Source::open(spec, options);
    };
    const std::string donor = donor_model(recipe);
    const auto first = open(donor);
    if (!recipe.tokenizer && !recipe.layer_path) options.tokens = token_count(*first);
    std::vector<std::shared_ptr<const Source>> sources;
    for (const std::string& reference : referenced_models(recipe))
        sources.push_back(reference == donor ? first : open(reference));
    return sources;
}

}  // namespace galapagos
