#include "genome/method_parameters.hpp"

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {
namespace {

bool is_ram(Method method) { return method == Method::ram || method == Method::ramplus_tl; }

}  // namespace

Method method_named(const std::string& name) {
    const auto method = parse_method(name);
    if (!method) {
        throw UsageError("the search space can't be built",
                         "there is no merge method '" + name + "'",
                         name_hint(name, method_names()));
    }
    return *method;
}

bool uses(Method method, const std::string& parameter) {
    const Thinning thinning = traits_of(method).thinning;
    if (parameter == "weight") return traits_of(method).weighted;
    if (parameter == "density") return thinning != Thinning::none;
    if (parameter == "gamma") return thinning == Thinning::middle;
    if (parameter == "epsilon") return thinning == Thinning::by_rank || is_ram(method);
    if (parameter == "t") return method == Method::slerp || method == Method::nearswap;
    if (parameter == "scale") return method == Method::passthrough;
    if (parameter == "select_topk") return method == Method::sce;
    return method == Method::ramplus_tl;
}

bool is_shared(Method method, const std::string& parameter) {
    if (parameter == "epsilon") return is_ram(method);
    return parameter == "t" || parameter == "select_topk" || parameter == "r" ||
           parameter == "alpha";
}

bool takes_a_pair(Method method) { return traits_of(method).most == 2; }

GeneRange default_range_of(Method method, const std::string& parameter) {
    if (parameter == "t" && method == Method::nearswap) return {0.0, 0.01, 0.001};
    if (parameter == "epsilon" && is_ram(method)) return {0.0, 1e-3, 1e-5};
    return default_range(parameter);
}

}  // namespace galapagos
