#include "merge/parameter.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "base/error.hpp"

namespace galapagos {

namespace {

const ParameterCase* matching_case(const ParameterSetting& setting, std::string_view name) {
    for (const ParameterCase& candidate : setting.cases) {
        const std::string& filter = candidate.filter;
        if (filter.empty() || filter == "*" || name.find(filter) != std::string_view::npos)
            return &candidate;
    }
    return nullptr;
}

double number_or_throw(const ParameterScalar& value, std::string_view name) {
    if (const auto number = as_number(value)) return *number;
    throw Error("merge parameter can't be used for tensor '" + std::string(name) + "'",
                "its value is not a finite number");
}

}  // namespace

ParameterSetting::ParameterSetting(const std::vector<double>& points) {
    ParameterCase all;
    all.values.assign(points.begin(), points.end());
    cases.push_back(std::move(all));
}

std::optional<double> as_number(const ParameterScalar& value) {
    double number = 0;
    if (const auto* flag = std::get_if<bool>(&value)) {
        number = *flag ? 1 : 0;
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        char* end = nullptr;
        number = std::strtod(text->c_str(), &end);
        if (text->empty() || end != text->c_str() + text->size()) return std::nullopt;
    } else {
        number = std::get<double>(value);
    }
    if (!std::isfinite(number)) return std::nullopt;
    return number;
}

std::optional<bool> as_flag(const ParameterScalar& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* number = std::get_if<double>(&value)) {
        if (*number == 0) return false;
        if (*number == 1) return true;
        return std::nullopt;
    }
    std::string text = std::get<std::string>(value);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const char* yes : {"true", "yes", "on", "1", "t", "y"})
        if (text == yes) return true;
    for (const char* no : {"false", "no", "off", "0", "f", "n"})
        if (text == no) return false;
    return std::nullopt;
}

std::optional<double> evaluate_number(const ParameterSetting& setting, std::string_view name,
                                      double t) {
    const ParameterCase* fit = matching_case(setting, name);
    if (fit == nullptr || fit->values.empty()) return std::nullopt;
    const std::size_t last = fit->values.size() - 1;
    const double position = t * static_cast<double>(last);
    const std::size_t lower = std::min(static_cast<std::size_t>(position), last);
    const std::size_t upper = std::min(lower + 1, last);
    const double fraction = position - static_cast<double>(lower);
    return (1 - fraction) * number_or_throw(fit->values[lower], name) +
           fraction * number_or_throw(fit->values[upper], name);
}

std::optional<ParameterScalar> evaluate_choice(const ParameterSetting& setting,
                                               std::string_view name, double t) {
    const ParameterCase* fit = matching_case(setting, name);
    if (fit == nullptr || fit->values.empty()) return std::nullopt;
    const std::size_t last = fit->values.size() - 1;
    const auto position = static_cast<std::size_t>(t * static_cast<double>(last));
    return fit->values[std::min(position, last)];
}

}  // namespace galapagos
