// A merge parameter as recipes write it: a number, a gradient over the layers, or one of these for
// each of several kinds of tensor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace galapagos {

using ParameterScalar = std::variant<bool, double, std::string>;

/// What a parameter is worth for the tensors whose name contains `filter` ("" or "*": all of them).
struct ParameterCase {
    std::string filter;
    /// One value, or the points of a gradient that are spread evenly over the layers of a slice.
    std::vector<ParameterScalar> values;

    bool operator==(const ParameterCase&) const = default;
};

/// The value of one parameter: the first case whose filter fits a tensor counts.
struct ParameterSetting {
    std::vector<ParameterCase> cases;

    ParameterSetting() = default;
    ParameterSetting(double value) : cases{{"", {value}}} {}
    ParameterSetting(int value) : ParameterSetting(static_cast<double>(value)) {}
    ParameterSetting(bool value) : cases{{"", {value}}} {}
    ParameterSetting(const char* value) : cases{{"", {std::string(value)}}} {}
    /// A gradient.
    ParameterSetting(const std::vector<double>& points);
    /// A filter list, in order; the last may have the filter "" to catch the rest.
    explicit ParameterSetting(std::vector<ParameterCase> list) : cases(std::move(list)) {}

    bool operator==(const ParameterSetting&) const = default;
};

/// Value for the tensor `name` at relative depth `t` in [0, 1]; nothing if no filter fits.
/// Points of a gradient are interpolated linearly. Throws Error if a value is not a finite number.
std::optional<double> evaluate_number(const ParameterSetting& setting, std::string_view name,
                                      double t);

/// The same for values that are not interpolated: the point number trunc(t * (points - 1)).
std::optional<ParameterScalar> evaluate_choice(const ParameterSetting& setting,
                                               std::string_view name, double t);

/// Reads true/false, yes/no, on/off, 1/0; nothing if it is none of these.
std::optional<bool> as_flag(const ParameterScalar& value);
/// Reads a number, also from text such as "1e-3"; nothing if it is none or not finite.
std::optional<double> as_number(const ParameterScalar& value);

}  // namespace galapagos
