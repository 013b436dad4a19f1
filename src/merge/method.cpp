#include "merge/method.hpp"

namespace galapagos {

std::string_view name_of(Method method) noexcept {
    switch (method) {
        case Method::linear:
            return "linear";
        case Method::slerp:
            return "slerp";
        case Method::task_arithmetic:
            return "task_arithmetic";
        case Method::ties:
            return "ties";
        case Method::dare_linear:
            return "dare_linear";
        case Method::dare_ties:
            return "dare_ties";
    }
    return "";
}

std::optional<Method> parse_method(std::string_view name) noexcept {
    for (const Method method : all_methods)
        if (name_of(method) == name) return method;
    return std::nullopt;
}

bool uses_task_vectors(Method method) noexcept {
    return method != Method::linear && method != Method::slerp;
}

bool is_sparse(Method method) noexcept {
    return uses_task_vectors(method) && method != Method::task_arithmetic;
}

bool elects_sign(Method method) noexcept {
    return method == Method::ties || method == Method::dare_ties;
}

bool default_normalize(Method method) noexcept {
    return method == Method::linear || method == Method::ties;
}

Rescale default_rescale(Method method) noexcept {
    return method == Method::dare_linear || method == Method::dare_ties ? Rescale::l1
                                                                        : Rescale::none;
}

const std::vector<std::string>& unsupported_methods() {
    static const std::vector<std::string> names = {
        "arcee_fusion", "breadcrumbs", "breadcrumbs_ties", "della",    "della_linear",
        "karcher",      "model_stock", "multislerp",       "nearswap", "nuslerp",
        "passthrough",  "ram",         "ramplus_tl",       "sce",
    };
    return names;
}

const std::vector<std::string>& method_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all;
        for (const Method method : all_methods) all.emplace_back(name_of(method));
        return all;
    }();
    return names;
}

}  // namespace galapagos
