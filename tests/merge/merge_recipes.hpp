// A recipe of each kind over the sources base, a and b.
#pragma once

#include <string>
#include <vector>

namespace galapagos::test {

inline std::vector<std::string> recipes_of_all_methods() {
    const std::string two =
        "base_model: base\n"
        "models:\n"
        "  - {model: a, parameters: {weight: [0.2, 0.9], density: [0.3, 0.8]}}\n"
        "  - model: b\n"
        "    parameters:\n"
        "      weight: [{filter: self_attn, value: -0.3}, {value: 0.6}]\n"
        "      density: 0.55\n";
    const auto with = [&](const std::string& method, const std::string& parameters) {
        return "merge_method: " + method + "\n" + two + "parameters: {" + parameters + "}\n";
    };
    return {
        "merge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: [0.3, "
        "0.7]}\n",
        "merge_method: slerp\nbase_model: base\nmodels: [{model: a}]\nparameters: {t: [0.1, "
        "0.8]}\n",
        with("task_arithmetic", "normalize: true"),
        with("ties", "lambda: 1.1"),
        with("ties", "normalize: false, rescale: true"),
        with("dare_linear", "lambda: 0.9"),
        with("dare_ties", "normalize: true"),
        with("dare_ties", "rescale: inverse_p"),
        with("breadcrumbs", "gamma: [0.1, 0.02], rescale: true"),
        with("breadcrumbs_ties", "gamma: 0.05"),
        with("della", "epsilon: 0.1"),
        with("della_linear", "epsilon: 0.15, rescale: inverse_p, lambda: 0.8"),
        with("model_stock", ""),
        with("model_stock", "filter_wise: true"),
        with("nuslerp", ""),
        with("nuslerp", "nuslerp_flatten: false"),
        with("nuslerp", "nuslerp_flatten: false, nuslerp_row_wise: true"),
        "merge_method: nuslerp\nmodels: [{model: a}, {model: b}]\nparameters: {weight: [0.3, "
        "0.7], nuslerp_flatten: false, nuslerp_row_wise: true}\n",
        with("multislerp", "normalize_weights: false"),
        "merge_method: multislerp\nmodels: [{model: a}, {model: b}, {model: base}]\nparameters: "
        "{weight: [0.3, 0.7]}\n",
        "merge_method: karcher\nmodels: [{model: a}, {model: b}, {model: base}]\n",
        with("sce", "select_topk: [0.3, 0.9]"),
        with("sce", ""),
        with("ram", "epsilon: 0.001"),
        with("ramplus_tl", "epsilon: 0.01, r: 0.3, alpha: 0.7"),
        "merge_method: arcee_fusion\nbase_model: base\nmodels: [{model: a}]\n",
        "merge_method: nearswap\nbase_model: base\nmodels: [{model: a}]\nparameters: {t: [0.001, "
        "0.02]}\n",
        "merge_method: passthrough\nmodels: [{model: a, parameters: {scale: [{filter: mlp, value: "
        "[0.5, 1.2]}, {value: 1}]}}]\n",
    };
}

}  // namespace galapagos::test
