// The merge methods by name, and what each of them takes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

enum class Method { linear, slerp, task_arithmetic, ties, dare_linear, dare_ties };

inline constexpr std::array all_methods = {Method::linear,          Method::slerp,
                                           Method::task_arithmetic, Method::ties,
                                           Method::dare_linear,     Method::dare_ties};

/// How a sparsified task vector makes up for what was dropped.
enum class Rescale {
    none,
    l1,         ///< to the L1 norm that it had before: mergekit's `rescale: true`
    inverse_p,  ///< by 1/density: the rule of the DARE paper
};

/// The name that recipes use.
std::string_view name_of(Method method) noexcept;
std::optional<Method> parse_method(std::string_view name) noexcept;

/// True for methods that add weighted task vectors (source minus base) to a base.
bool uses_task_vectors(Method method) noexcept;
/// True for methods that keep only a part of each task vector.
bool is_sparse(Method method) noexcept;
/// True for methods that elect a sign for each element.
bool elects_sign(Method method) noexcept;
/// mergekit's defaults.
bool default_normalize(Method method) noexcept;
Rescale default_rescale(Method method) noexcept;

/// Names of methods that mergekit has and this program has not (yet).
const std::vector<std::string>& unsupported_methods();
/// Names of all methods that this program has.
const std::vector<std::string>& method_names();

}  // namespace galapagos
