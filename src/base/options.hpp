#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"

namespace galapagos {

/// What the docs, the schema and the error messages say of an option.
struct OptionInfo {
    std::string help;
    double minimum = -std::numeric_limits<double>::infinity();
    double maximum = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices = {};  ///< of a text option; empty: any text
    bool required = false;
};

/// An option whose value is no plain scalar or list: it brings its own schema, reader and writer.
struct CustomOption {
    nlohmann::ordered_json schema;
    std::function<void(const YamlReader&)> read;
    /// The resolved value as YAML nodes; an undefined node leaves the key out.
    std::function<YAML::Node()> write;
};

/// Visits the options of a settings struct. Each struct declares its options once, in a function
/// `void visit_options(OptionVisitor&, Settings&)`, which names key, field and help; the visitors
/// below read them from YAML, write them back, and make the JSON Schema.
class OptionVisitor {
  public:
    virtual ~OptionVisitor() = default;
    virtual void option(std::string_view key, bool& value, const OptionInfo& info) = 0;
    virtual void option(std::string_view key, std::int64_t& value, const OptionInfo& info) = 0;
    virtual void option(std::string_view key, double& value, const OptionInfo& info) = 0;
    virtual void option(std::string_view key, std::string& value, const OptionInfo& info) = 0;
    virtual void option(std::string_view key, std::vector<std::string>& value,
                        const OptionInfo& info) = 0;
    virtual void option(std::string_view key, std::optional<double>& value,
                        const OptionInfo& info) = 0;
    virtual void custom(std::string_view key, const CustomOption& option,
                        const OptionInfo& info) = 0;
    /// A nested map of options.
    virtual void section(std::string_view key, const std::string& help,
                         const std::function<void(OptionVisitor&)>& visit) = 0;

    /// An integer option kept in another integer type.
    template <class Integer>
    void whole(std::string_view key, Integer& value, const OptionInfo& info) {
        auto wide = static_cast<std::int64_t>(value);
        option(key, wide, info);
        value = static_cast<Integer>(wide);
    }
    /// A text option kept as an enumeration: `names[i]` stands for the value i.
    template <class Enum>
    void choice(std::string_view key, Enum& value, const std::vector<std::string>& names,
                OptionInfo info) {
        info.choices = names;
        std::string text = names.at(static_cast<std::size_t>(value));
        option(key, text, info);
        for (std::size_t i = 0; i < names.size(); ++i)
            if (names[i] == text) value = static_cast<Enum>(i);
    }
};

using VisitOptions = std::function<void(OptionVisitor&)>;

/// Sets the options from a YAML map. UsageErrors name file, line and key: unknown keys (with the
/// nearest name), wrong types, values out of range, missing required options.
void read_options(const YamlReader& map, const VisitOptions& visit);

/// All options with their present values, as a YAML map.
YAML::Node write_options(const VisitOptions& visit);

/// The JSON Schema (draft 2020-12) of the map; defaults are the present values.
nlohmann::ordered_json schema_of_options(const VisitOptions& visit);

/// One line an option: "islands.count   integer   islands (default 0: one a node)".
std::string describe_options(const VisitOptions& visit);

}  // namespace galapagos
