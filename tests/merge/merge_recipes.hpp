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
    };
}

}  // namespace galapagos::test
