// The merge methods by name, and what each of them takes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

enum class Method {
    linear,
    slerp,
    task_arithmetic,
    ties,
    dare_linear,
    dare_ties,
    breadcrumbs,
    breadcrumbs_ties,
    della,
    della_linear,
    model_stock,
    nuslerp,
    multislerp,
    karcher,
    sce,
    ram,
    ramplus_tl,
    arcee_fusion,
    nearswap,
    passthrough,
};

inline constexpr std::array all_methods = {
    Method::linear,
    Method::slerp,
    Method::task_arithmetic,
    Method::ties,
    Method::dare_linear,
    Method::dare_ties,
    Method::breadcrumbs,
    Method::breadcrumbs_ties,
    Method::della,
    Method::della_linear,
    Method::model_stock,
    Method::nuslerp,
    Method::multislerp,
    Method::karcher,
    Method::sce,
    Method::ram,
    Method::ramplus_tl,
    Method::arcee_fusion,
    Method::nearswap,
    Method::passthrough,
};

/// What a method does with the base model.
enum class BaseUse {
    ignored,   ///< it is a model like the others
    optional,  ///< the origin of task vectors, if there is one
    required,
};

/// Which elements of a task vector a method keeps.
enum class Thinning {
    none,
    largest,  ///< by magnitude
    middle,   ///< by magnitude, but not the very largest
    random,   ///< all with the same probability
    by_rank,  ///< at random, large ones more often
};

/// What a method takes and how it is set up where a recipe says nothing.
struct MethodTraits {
    Method method;
    const char* name;
    BaseUse base;
    int fewest = 1;  ///< models, the base included
    int most = 1 << 20;
    bool weighted = false;  ///< a weight for each model (but the base)
    Thinning thinning = Thinning::none;
    bool adds_task_vectors = false;  ///< base plus weighted, perhaps thinned, task vectors
    bool elects_sign = false;
    bool normalize = false;
    bool rescale = false;
};

const MethodTraits& traits_of(Method method) noexcept;

/// How a sparsified task vector makes up for what was dropped.
enum class Rescale {
    none,
    l1,         ///< to the L1 norm that it had before: mergekit's `rescale: true`
    inverse_p,  ///< by 1/density: the rule of the DARE paper
};

/// Settings of single methods that are not spread over the models, under mergekit's names and with
/// its defaults.
struct MethodNumbers {
    bool filter_wise = false;  ///< model_stock: each row by itself
    bool flatten = true;       ///< nuslerp: each tensor as one long vector ...
    bool row_wise = false;     ///< ... or else its rows (false) or columns (true)
    int max_iter = 10;         ///< karcher
    double tol = 1e-5;         ///< karcher
    double eps = 1e-8;         ///< multislerp
    double epsilon = 1e-5;     ///< ram, ramplus_tl: the least change that counts
    double r = 0.1;            ///< ramplus_tl
    double alpha = 0.2;        ///< ramplus_tl
    double select_topk = 1;    ///< sce

    bool operator==(const MethodNumbers&) const = default;
};

/// The name that recipes use.
std::string_view name_of(Method method) noexcept;
std::optional<Method> parse_method(std::string_view name) noexcept;

/// True for methods that add weighted task vectors (source minus base) to a base.
bool uses_task_vectors(Method method) noexcept;
/// True for methods that can't do without a base model.
bool needs_base(Method method) noexcept;
/// True for methods that keep only a part of each task vector.
bool is_sparse(Method method) noexcept;
/// True for methods that elect a sign for each element.
bool elects_sign(Method method) noexcept;
/// mergekit's defaults.
bool default_normalize(Method method) noexcept;
Rescale default_rescale(Method method) noexcept;

/// Names of all methods that this program has.
const std::vector<std::string>& method_names();

}  // namespace galapagos
