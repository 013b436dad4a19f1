#include "merge/method.hpp"

namespace galapagos {

namespace {

using enum BaseUse;

constexpr int any = 1 << 20;

constexpr std::array<MethodTraits, all_methods.size()> table = {{
    // method, name, base, fewest, most, weighted, thinning, task vectors, sign, normalize, rescale
    {Method::linear, "linear", ignored, 1, any, true, Thinning::none, false, false, true, false},
    {Method::slerp, "slerp", required, 2, 2},
    {Method::task_arithmetic, "task_arithmetic", required, 1, any, true, Thinning::none, true},
    {Method::ties, "ties", required, 1, any, true, Thinning::largest, true, true, true, false},
    {Method::dare_linear, "dare_linear", required, 1, any, true, Thinning::random, true, false,
     false, true},
    {Method::dare_ties, "dare_ties", required, 1, any, true, Thinning::random, true, true, false,
     true},
    {Method::breadcrumbs, "breadcrumbs", required, 1, any, true, Thinning::middle, true},
    {Method::breadcrumbs_ties, "breadcrumbs_ties", required, 1, any, true, Thinning::middle, true,
     true},
    {Method::della, "della", required, 1, any, true, Thinning::by_rank, true, true, true, true},
    {Method::della_linear, "della_linear", required, 1, any, true, Thinning::by_rank, true, false,
     false, true},
    {Method::model_stock, "model_stock", required, 3},
    {Method::nuslerp, "nuslerp", optional, 2, 3, true},
    {Method::multislerp, "multislerp", optional, 1, any, true, Thinning::none, false, false, true},
    {Method::karcher, "karcher", ignored},
    {Method::sce, "sce", required},
    {Method::ram, "ram", required},
    {Method::ramplus_tl, "ramplus_tl", required},
    {Method::arcee_fusion, "arcee_fusion", required, 2, 2},
    {Method::nearswap, "nearswap", required, 2, 2},
    {Method::passthrough, "passthrough", ignored, 1, 1},
}};

}  // namespace

const MethodTraits& traits_of(Method method) noexcept {
    return table[static_cast<std::size_t>(method)];
}

std::string_view name_of(Method method) noexcept { return traits_of(method).name; }

std::optional<Method> parse_method(std::string_view name) noexcept {
    for (const Method method : all_methods)
        if (name_of(method) == name) return method;
    return std::nullopt;
}

bool uses_task_vectors(Method method) noexcept { return traits_of(method).adds_task_vectors; }

bool needs_base(Method method) noexcept { return traits_of(method).base == BaseUse::required; }

bool is_sparse(Method method) noexcept { return traits_of(method).thinning != Thinning::none; }

bool elects_sign(Method method) noexcept { return traits_of(method).elects_sign; }

bool default_normalize(Method method) noexcept { return traits_of(method).normalize; }

Rescale default_rescale(Method method) noexcept {
    return traits_of(method).rescale ? Rescale::l1 : Rescale::none;
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
