#include "merge/plan_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace galapagos {

namespace {

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
};

/// The levels, as one tensor at one depth sees them.
class Values {
  public:
    Values(const Levels& levels, const std::string& tensor, double t)
        : levels_(levels), tensor_(tensor), t_(t) {}

    std::optional<double> number(const char* parameter) const {
        return levels_.find(parameter, [&](const ParameterSetting& setting) {
            return evaluate_number(setting, tensor_, t_);
        });
    }
    double number(const char* parameter, double fallback) const {
        return number(parameter).value_or(fallback);
    }
    std::optional<ParameterScalar> choice(const char* parameter) const {
        return levels_.find(parameter, [&](const ParameterSetting& setting) {
            return evaluate_choice(setting, tensor_, t_);
        });
    }
    bool flag(const char* parameter, bool fallback) const {
        const auto value = choice(parameter);
        return value ? flag_of(*value, parameter) : fallback;
    }
    Rescale rescale(Rescale fallback) const {
        const auto value = choice("rescale");
        if (!value) return fallback;
        if (const auto* text = std::get_if<std::string>(&*value)) {
            if (*text == "inverse_p") return Rescale::inverse_p;
            if (*text == "l1") return Rescale::l1;
        }
        return flag_of(*value, "rescale") ? Rescale::l1 : Rescale::none;
    }

  private:
    static bool flag_of(const ParameterScalar& value, const char* parameter) {
        if (const auto flag = as_flag(value)) return *flag;
        throw UsageError("recipe refused",
                         std::string("'") + parameter + "' is neither true nor false");
    }

    Levels levels_;
    const std::string& tensor_;
    double t_;
};

void check_probabilities(const MergeInput& input) {
    const double density = input.density;
    if (density <= 0 || density >= 1) return;
    if (density - std::abs(input.epsilon) <= 0 || density + std::abs(input.epsilon) >= 1)
        throw Error("tensor '" + input.tensor + "' can't be thinned",
                    "density - epsilon and density + epsilon are keep probabilities, and must lie "
                    "between 0 and 1",
                    "make epsilon smaller");
}

double position_of(const Values& values, const std::string& tensor) {
    const auto position = values.number("t");
    if (!position)
        throw UsageError("recipe refused", "there is no 't' for tensor '" + tensor + "'",
                         "set 't' under parameters");
    return *position;
}

void set_normalize(TensorMerge& tensor, const Values& values) {
    const Method method = tensor.method;
    const char* parameter = method == Method::multislerp ? "normalize_weights" : "normalize";
    tensor.normalize = values.flag(parameter, default_normalize(method));
    if (!tensor.normalize || (method != Method::linear && method != Method::multislerp)) return;
    double sum = 0;
    for (const MergeInput& input : tensor.inputs) sum += input.weight;
    if (sum == 0)
        throw Error("tensor '" + tensor.output_name + "' can't be merged",
                    "its weights sum to zero",
                    std::string("set ") + parameter + ": false, or other weights");
}

void set_numbers(MethodNumbers& numbers, Method method, const Values& values) {
    const auto number = [&](const char* parameter, double& value) {
        value = values.number(parameter, value);
    };
    const auto flag = [&](const char* parameter, bool& value) {
        value = values.flag(parameter, value);
    };
    switch (method) {
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

}  // namespace

void set_input_parameters(MergeInput& input, const Recipe& recipe, const ResolvedSlice& slice,
                          std::size_t i, double t) {
    const MethodTraits& method = traits_of(recipe.method);
    const Values values({&slice.inputs[i].parameters, slice.parameters, &recipe.parameters},
                        input.tensor, t);
    if (method.method == Method::passthrough) input.weight = values.number("scale", 1);
    if (!method.weighted) return;
    const auto weight = values.number("weight");
    if (!weight)
        throw UsageError(
            "recipe refused",
            "there is no weight for '" + slice.inputs[i].model + "', tensor '" + input.tensor + "'",
            "set 'weight' under the model's parameters");
    input.weight = *weight;
    if (method.thinning == Thinning::none) return;
    input.density = values.number("density", 1);
    if (method.thinning == Thinning::middle) input.gamma = values.number("gamma", input.gamma);
    if (method.thinning == Thinning::by_rank) {
        input.epsilon = values.number("epsilon", input.epsilon);
        check_probabilities(input);
    }
}

void set_shared_parameters(TensorMerge& tensor, const Recipe& recipe, const ResolvedSlice& slice,
                           double t) {
    const Method method = recipe.method;
    const Values values({nullptr, slice.parameters, &recipe.parameters}, tensor.output_name, t);
    if (method == Method::slerp || method == Method::nearswap) {
        tensor.t = position_of(values, tensor.output_name);
        return;
    }
    set_numbers(tensor.numbers, method, values);
    set_normalize(tensor, values);
    if (!uses_task_vectors(method)) return;
    tensor.lambda = values.number("lambda", 1);
    if (is_sparse(method)) tensor.rescale = values.rescale(default_rescale(method));
}

}  // namespace galapagos
