#include "merge/plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "merge/source_layout.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {

namespace {

/// A slice with its sources resolved; `models` recipes become one of these.
struct ResolvedSlice {
    std::vector<RecipeInput> inputs;  ///< with layer ranges
    std::vector<int> sources;
    int base = -1;  ///< position in `inputs`
    const Parameters* parameters = nullptr;
};

/// The parameters that may set a value, the most specific first.
struct Levels {
    const Parameters* input = nullptr;
    const Parameters* slice = nullptr;
    const Parameters* recipe = nullptr;

    template <typename Evaluate>
    auto find(const char* parameter, Evaluate&& evaluate) const
        -> decltype(evaluate(std::declval<const ParameterSetting&>())) {
        for (const Parameters* level : {input, slice, recipe}) {
            if (level == nullptr) continue;
            const auto entry = level->find(parameter);
            if (entry == level->end()) continue;
            if (auto value = evaluate(entry->second)) return value;
        }
        return std::nullopt;
    }
    std::optional<double> number(const char* parameter, const std::string& tensor, double t) const {
        return find(parameter, [&](const ParameterSetting& setting) {
            return evaluate_number(setting, tensor, t);
        });
    }
    std::optional<ParameterScalar> choice(const char* parameter, const std::string& tensor,
                                          double t) const {
        return find(parameter, [&](const ParameterSetting& setting) {
            return evaluate_choice(setting, tensor, t);
        });
    }
};

DType promote(DType a, DType b) { return a == b ? a : DType::f32; }

bool flag_or(const std::optional<ParameterScalar>& value, bool fallback, const char* name) {
    if (!value) return fallback;
    if (const auto flag = as_flag(*value)) return *flag;
    throw UsageError("recipe refused", std::string("'") + name + "' is neither true nor false");
}

Rescale rescale_or(const std::optional<ParameterScalar>& value, Rescale fallback) {
    if (!value) return fallback;
    if (const auto* text = std::get_if<std::string>(&*value)) {
        if (*text == "inverse_p") return Rescale::inverse_p;
        if (*text == "l1") return Rescale::l1;
    }
    return flag_or(value, false, "rescale") ? Rescale::l1 : Rescale::none;
}

class Planner {
  public:
    Planner(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
            const SourceIndex& index)
        : recipe_(recipe), sources_(sources), index_(index), layouts_(sources.size()) {}

    MergePlan plan() {
        const std::vector<ResolvedSlice> slices = resolve_slices();
        MergePlan plan;
        plan.random_seed = recipe_.random_seed;
        plan_outer(slices.front(), &SourceLayout::before, plan);
        for (const ResolvedSlice& slice : slices) plan_layers(slice, plan);
        plan_outer(slices.back(), &SourceLayout::after, plan);
        return plan;
    }

  private:
    int find_source(const std::string& reference) const {
        const auto found = index_.find(reference);
        if (found != index_.end()) return found->second;
        std::vector<std::string> names;
        for (const auto& entry : index_) names.push_back(entry.first);
        throw UsageError("recipe refused", "there is no source '" + reference + "'",
                         name_hint(reference, names));
    }

    const SourceLayout& layout(int source) {
        auto& slot = layouts_[static_cast<std::size_t>(source)];
        if (!slot) slot = lay_out(*sources_[static_cast<std::size_t>(source)]);
        return *slot;
    }

    std::vector<ResolvedSlice> resolve_slices() {
        std::vector<ResolvedSlice> slices;
        if (!recipe_.models.empty()) {
            slices.push_back(resolve(recipe_.models, recipe_.base_model, nullptr, true));
        } else {
            for (const RecipeSlice& slice : recipe_.slices)
                slices.push_back(resolve(slice.sources,
                                         slice.base_model ? slice.base_model : recipe_.base_model,
                                         &slice.parameters, false));
        }
        if (slices.empty()) throw UsageError("recipe refused", "it lists no models and no slices");
        return slices;
    }

    ResolvedSlice resolve(std::vector<RecipeInput> inputs, const std::optional<std::string>& base,
                          const Parameters* parameters, bool append_base) {
        ResolvedSlice slice;
        slice.parameters = parameters;
        const int base_source = base ? find_source(*base) : -1;
        const auto is_base = [&](const RecipeInput& input) {
            return find_source(input.model) == base_source;
        };
        if (base && append_base && std::none_of(inputs.begin(), inputs.end(), is_base))
            inputs.push_back({*base, std::nullopt, {}});
        slice.inputs = std::move(inputs);
        for (RecipeInput& input : slice.inputs) {
            const int source = find_source(input.model);
            const std::int64_t count = layout(source).layer_count();
            if (!input.layer_range) input.layer_range = Range{0, count};
            if (input.layer_range->end > count)
                throw UsageError("recipe refused",
                                 "layer range [" + std::to_string(input.layer_range->begin) + ", " +
                                     std::to_string(input.layer_range->end) + ") of '" +
                                     input.model + "', which has " + std::to_string(count) +
                                     " layers");
            if (std::find(slice.sources.begin(), slice.sources.end(), source) !=
                slice.sources.end())
                throw UsageError("recipe refused", "'" + input.model + "' occurs twice",
                                 "a slice takes each model once");
            if (source == base_source) slice.base = static_cast<int>(slice.sources.size());
            slice.sources.push_back(source);
        }
        if (base && slice.base < 0 && traits_of(recipe_.method).base == BaseUse::optional)
            throw UsageError("recipe refused",
                             "a slice doesn't list the base model '" + *base + "'",
                             "list it in every slice, or leave out base_model");
        check_inputs(slice);
        return slice;
    }

    void check_inputs(const ResolvedSlice& slice) const {
        const MethodTraits& method = traits_of(recipe_.method);
        for (const RecipeInput& input : slice.inputs)
            if (input.layer_range->size() != slice.inputs.front().layer_range->size())
                throw UsageError("recipe refused",
                                 "'" + input.model + "' and '" + slice.inputs.front().model +
                                     "' have unequal numbers of layers",
                                 "give layer ranges of equal length");
        if (method.base == BaseUse::required && slice.base < 0)
            throw UsageError(
                "recipe refused",
                std::string(method.name) + " needs a base model among the models that it merges",
                "set base_model (and list it in every slice)");
        check_number_of_models(method, slice);
    }

    static void check_number_of_models(const MethodTraits& method, const ResolvedSlice& slice) {
        const auto count = static_cast<int>(slice.inputs.size());
        int fewest = method.fewest, most = method.most;
        if (method.method == Method::nuslerp) fewest = most = slice.base < 0 ? 2 : 3;
        if (count >= fewest && count <= most) return;
        std::string wanted = "at least " + std::to_string(fewest) + " models";
        if (most == 1) wanted = "one model";
        if (most == 2) wanted = "a base and one other model";
        if (method.method == Method::nuslerp) wanted = "two models beside the base";
        throw UsageError("recipe refused", std::string(method.name) + " takes " + wanted +
                                               ", not " + std::to_string(count) + " models");
    }

    /// Whether an input of a slice is the base that the method tells from the others.
    bool is_base(const ResolvedSlice& slice, std::size_t input) const {
        return traits_of(recipe_.method).base != BaseUse::ignored &&
               static_cast<int>(input) == slice.base;
    }

    /// Embeddings or final norm and head: depth 0.
    void plan_outer(const ResolvedSlice& slice, std::vector<std::string> SourceLayout::*part,
                    MergePlan& plan) {
        std::set<std::string> names;
        for (const int source : slice.sources) {
            const auto& own = layout(source).*part;
            names.insert(own.begin(), own.end());
        }
        for (const std::string& name : names) {
            const std::vector<std::string> inputs(slice.sources.size(), name);
            plan.tensors.push_back(plan_tensor(slice, name, inputs, 0));
        }
    }

    void plan_layers(const ResolvedSlice& slice, MergePlan& plan) {
        const SourceLayout& first = layout(slice.sources.front());
        const std::int64_t count = slice.inputs.front().layer_range->size();
        std::vector<std::string> inputs(slice.sources.size());
        for (std::int64_t offset = 0; offset < count; ++offset, ++plan.layers) {
            const double t =
                count > 1 ? static_cast<double>(offset) / static_cast<double>(count - 1) : 1;
            const auto& suffixes = layer(slice, 0, offset);
            for (std::size_t i = 1; i < slice.sources.size(); ++i)
                if (layer(slice, i, offset) != suffixes) refuse_layer(slice, i, offset);
            for (const std::string& suffix : suffixes) {
                for (std::size_t i = 0; i < inputs.size(); ++i)
                    inputs[i] =
                        layout(slice.sources[i])
                            .tensor_name(slice.inputs[i].layer_range->begin + offset, suffix);
                plan.tensors.push_back(
                    plan_tensor(slice, first.tensor_name(plan.layers, suffix), inputs, t));
            }
        }
    }

    const std::vector<std::string>& layer(const ResolvedSlice& slice, std::size_t input,
                                          std::int64_t offset) {
        const std::int64_t number = slice.inputs[input].layer_range->begin + offset;
        return layout(slice.sources[input]).layers[static_cast<std::size_t>(number)];
    }

    [[noreturn]] void refuse_layer(const ResolvedSlice& slice, std::size_t input,
                                   std::int64_t offset) {
        const auto name = [&](std::size_t i) {
            return "layer " + std::to_string(slice.inputs[i].layer_range->begin + offset) +
                   " of '" + slice.inputs[i].model + "'";
        };
        throw Error("models can't be merged",
                    name(input) + " and " + name(0) + " do not hold the same tensors");
    }

    /// The tensor of a source, or the embedding where that serves as the output head.
    std::string input_name(int source, const std::string& name) const {
        const Source& model = *sources_[static_cast<std::size_t>(source)];
        const ArchitectureLayout* layout = find_layout(model.config());
        if (layout != nullptr && !model.has(name) && name == layout->head &&
            model.folder().tied() && model.has(layout->embedding))
            return layout->embedding;
        return name;
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
            input.tensor = input_name(input.source, names[i]);
            views.push_back(sources_[static_cast<std::size_t>(input.source)]->tensor(input.tensor));
            if (is_base(slice, i)) {
                tensor.base = std::move(input);
                continue;
            }
            set_input_parameters(input, slice, i, t);
            tensor.inputs.push_back(std::move(input));
        }
        set_layout(tensor, slice, views);
        set_shared_parameters(tensor, slice, t);
        return tensor;
    }

    void set_input_parameters(MergeInput& input, const ResolvedSlice& slice, std::size_t i,
                              double t) const {
        const MethodTraits& method = traits_of(recipe_.method);
        const Levels levels{&slice.inputs[i].parameters, slice.parameters, &recipe_.parameters};
        if (method.method == Method::passthrough)
            input.weight = levels.number("scale", input.tensor, t).value_or(1);
        if (!method.weighted) return;
        const auto weight = levels.number("weight", input.tensor, t);
        if (!weight)
            throw UsageError("recipe refused",
                             "there is no weight for '" + slice.inputs[i].model + "', tensor '" +
                                 input.tensor + "'",
                             "set 'weight' under the model's parameters");
        input.weight = *weight;
        if (method.thinning == Thinning::none) return;
        input.density = levels.number("density", input.tensor, t).value_or(1);
        if (method.thinning == Thinning::middle)
            input.gamma = levels.number("gamma", input.tensor, t).value_or(input.gamma);
        if (method.thinning == Thinning::by_rank) {
            input.epsilon = levels.number("epsilon", input.tensor, t).value_or(input.epsilon);
            check_probabilities(input);
        }
    }

    static void check_probabilities(const MergeInput& input) {
        const double density = input.density;
        if (density <= 0 || density >= 1) return;
        if (density - std::abs(input.epsilon) <= 0 || density + std::abs(input.epsilon) >= 1)
            throw Error("tensor '" + input.tensor + "' can't be thinned",
                        "density - epsilon and density + epsilon are keep probabilities, and must "
                        "lie between 0 and 1",
                        "make epsilon smaller");
    }

    void set_shared_parameters(TensorMerge& tensor, const ResolvedSlice& slice, double t) const {
        const Levels levels{nullptr, slice.parameters, &recipe_.parameters};
        const Method method = recipe_.method;
        const std::string& name = tensor.output_name;
        if (method == Method::slerp || method == Method::nearswap) {
            const auto position = levels.number("t", name, t);
            if (!position)
                throw UsageError("recipe refused", "there is no 't' for tensor '" + name + "'",
                                 "set 't' under parameters");
            tensor.t = *position;
            return;
        }
        set_numbers(tensor.numbers, levels, name, t);
        const char* normalize = method == Method::multislerp ? "normalize_weights" : "normalize";
        tensor.normalize =
            flag_or(levels.choice(normalize, name, t), default_normalize(method), normalize);
        if (method == Method::linear || method == Method::multislerp) {
            double sum = 0;
            for (const MergeInput& input : tensor.inputs) sum += input.weight;
            if (tensor.normalize && sum == 0)
                throw Error("tensor '" + name + "' can't be merged", "its weights sum to zero",
                            std::string("set ") + normalize + ": false, or other weights");
        }
        if (!uses_task_vectors(method)) return;
        tensor.lambda = levels.number("lambda", name, t).value_or(1);
        if (is_sparse(method))
            tensor.rescale = rescale_or(levels.choice("rescale", name, t), default_rescale(method));
    }

    void set_numbers(MethodNumbers& numbers, const Levels& levels, const std::string& name,
                     double t) const {
        const auto number = [&](const char* parameter, double& value) {
            value = levels.number(parameter, name, t).value_or(value);
        };
        const auto flag = [&](const char* parameter, bool& value) {
            value = flag_or(levels.choice(parameter, name, t), value, parameter);
        };
        switch (recipe_.method) {
            case Method::model_stock:
                return flag("filter_wise", numbers.filter_wise);
            case Method::nuslerp:
                flag("nuslerp_flatten", numbers.flatten);
                return flag("nuslerp_row_wise", numbers.row_wise);
            case Method::multislerp:
                return number("eps", numbers.eps);
            case Method::karcher: {
                double steps = numbers.max_iter;
                number("max_iter", steps);
                numbers.max_iter = static_cast<int>(std::clamp(steps, 0.0, 1e6));
                return number("tol", numbers.tol);
            }
            case Method::sce:
                return number("select_topk", numbers.select_topk);
            case Method::ramplus_tl:
                number("r", numbers.r);
                number("alpha", numbers.alpha);
                [[fallthrough]];
            case Method::ram:
                return number("epsilon", numbers.epsilon);
            default:
                return;
        }
    }

    void set_layout(TensorMerge& tensor, const ResolvedSlice& slice,
                    const std::vector<TensorView>& views) const {
        tensor.shape = views.front().shape;
        DType promoted = views.front().dtype;
        for (std::size_t i = 0; i < views.size(); ++i) {
            const std::string& model = slice.inputs[i].model;
            if (views[i].shape != tensor.shape)
                throw Error("tensor '" + tensor.output_name + "' can't be merged",
                            "its shape is " + to_string(views[i].shape) + " in '" + model +
                                "' but " + to_string(tensor.shape) + " in '" +
                                slice.inputs.front().model + "'");
            if (!is_mergeable(views[i].dtype)) {
                set_copied(tensor, views);
                return;
            }
            promoted = promote(promoted, views[i].dtype);
        }
        tensor.dtype = recipe_.out_dtype.value_or(recipe_.dtype.value_or(promoted));
    }

    static void set_copied(TensorMerge& tensor, const std::vector<TensorView>& views) {
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

    const Recipe& recipe_;
    const std::vector<std::shared_ptr<const Source>>& sources_;
    const SourceIndex& index_;
    std::vector<std::optional<SourceLayout>> layouts_;
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
                                                        const SourceOptions& options) {
    std::vector<std::shared_ptr<const Source>> sources;
    for (const std::string& reference : referenced_models(recipe)) {
        SourceSpec spec = parse_source_reference(reference);
        spec.name = reference;
        sources.push_back(Source::open(spec, options));
    }
    return sources;
}

}  // namespace galapagos
