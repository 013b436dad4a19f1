#include "base/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {
namespace {

using nlohmann::ordered_json;

/// Hands every kind of option to one template of the visitor that derives from it.
template <class Derived>
class UniformVisitor : public OptionVisitor {
  public:
    void option(std::string_view key, bool& value, const OptionInfo& info) override {
        self().any(key, value, info);
    }
    void option(std::string_view key, std::int64_t& value, const OptionInfo& info) override {
        self().any(key, value, info);
    }
    void option(std::string_view key, double& value, const OptionInfo& info) override {
        self().any(key, value, info);
    }
    void option(std::string_view key, std::string& value, const OptionInfo& info) override {
        self().any(key, value, info);
    }
    void option(std::string_view key, std::vector<std::string>& value,
                const OptionInfo& info) override {
        self().any(key, value, info);
    }
    void option(std::string_view key, std::optional<double>& value,
                const OptionInfo& info) override {
        self().any(key, value, info);
    }

  private:
    Derived& self() { return static_cast<Derived&>(*this); }
};

void check_range(const YamlReader& at, double value, const OptionInfo& info) {
    if (value < info.minimum) at.fail(fmt::format("{} is below {}", value, info.minimum));
    if (value > info.maximum) at.fail(fmt::format("{} is above {}", value, info.maximum));
}

void assign(const YamlReader& at, bool& value, const OptionInfo&) { value = at.as_bool(); }
void assign(const YamlReader& at, std::int64_t& value, const OptionInfo& info) {
    value = at.as_int();
    check_range(at, static_cast<double>(value), info);
}
void assign(const YamlReader& at, double& value, const OptionInfo& info) {
    value = at.as_double();
    check_range(at, value, info);
}
void assign(const YamlReader& at, std::string& value, const OptionInfo& info) {
    value = at.as_string();
    if (!info.choices.empty() &&
        std::find(info.choices.begin(), info.choices.end(), value) == info.choices.end())
        at.fail(fmt::format("'{}' is not allowed", value), name_hint(value, info.choices));
}
void assign(const YamlReader& at, std::vector<std::string>& value, const OptionInfo& info) {
    value.clear();
    const auto elements =
        at.is_scalar() ? std::vector{at} : at.elements();  // a single entry needs no brackets
    for (const auto& element : elements) assign(element, value.emplace_back(), info);
}
void assign(const YamlReader& at, std::optional<double>& value, const OptionInfo& info) {
    value.reset();
    if (at.is_null()) return;
    double number = 0;
    assign(at, number, info);
    value = number;
}

class Reader : public UniformVisitor<Reader> {
  public:
    explicit Reader(const YamlReader& map) : map_(map) {}

    template <class T>
    void any(std::string_view key, T& value, const OptionInfo& info) {
        if (const auto child = known(key, info.required)) assign(*child, value, info);
    }
    void custom(std::string_view key, const CustomOption& option, const OptionInfo& info) override {
        if (const auto child = known(key, info.required)) option.read(*child);
    }
    void section(std::string_view key, const std::string&,
                 const std::function<void(OptionVisitor&)>& visit) override {
        // An absent section is read too: a required option in it must be missed.
        const auto child = known(key, false);
        read_options(
            child ? *child : YamlReader::from_text("{}", map_.where() + ": " + std::string(key)),
            visit);
    }
    void finish() const { map_.allow_only(names_); }

  private:
    std::optional<YamlReader> known(std::string_view key, bool required) {
        names_.emplace_back(key);
        if (required) return map_.at(key);
        return map_.find(key);
    }
    const YamlReader& map_;
    std::vector<std::string> names_;
};

class Writer : public UniformVisitor<Writer> {
  public:
    YAML::Node map{YAML::NodeType::Map};

    template <class T>
    void any(std::string_view key, T& value, const OptionInfo&) {
        map[std::string(key)] = scalar(value);
    }
    void custom(std::string_view key, const CustomOption& option, const OptionInfo&) override {
        const YAML::Node node = option.write();
        if (node.IsDefined() && !node.IsNull()) map[std::string(key)] = node;
    }
    void section(std::string_view key, const std::string&,
                 const std::function<void(OptionVisitor&)>& visit) override {
        map[std::string(key)] = write_options(visit);
    }

  private:
    static YAML::Node scalar(bool value) { return YAML::Node(value); }
    static YAML::Node scalar(std::int64_t value) { return YAML::Node(value); }
    // The shortest text that reads back as the same bits.
    static YAML::Node scalar(double value) { return YAML::Node(fmt::format("{}", value)); }
    static YAML::Node scalar(const std::string& value) { return YAML::Node(value); }
    static YAML::Node scalar(const std::vector<std::string>& value) { return YAML::Node(value); }
    static YAML::Node scalar(const std::optional<double>& value) {
        return value ? scalar(*value) : YAML::Node(YAML::NodeType::Null);
    }
};

class SchemaMaker : public UniformVisitor<SchemaMaker> {
  public:
    ordered_json properties = ordered_json::object();
    std::vector<std::string> required;

    void any(std::string_view key, bool& value, const OptionInfo& info) {
        add(key, {{"type", "boolean"}}, value, info);
    }
    void any(std::string_view key, std::int64_t& value, const OptionInfo& info) {
        add(key, {{"type", "integer"}}, value, info);
    }
    void any(std::string_view key, double& value, const OptionInfo& info) {
        add(key, {{"type", "number"}}, value, info);
    }
    void any(std::string_view key, std::string& value, const OptionInfo& info) {
        add(key, text_schema(info), value, info);
    }
    void any(std::string_view key, std::vector<std::string>& value, const OptionInfo& info) {
        const ordered_json item = text_schema(info);
        add(key, {{"oneOf", {item, {{"type", "array"}, {"items", item}}}}}, value, info);
    }
    void any(std::string_view key, std::optional<double>& value, const OptionInfo& info) {
        add(key, {{"type", {"number", "null"}}}, value ? ordered_json(*value) : ordered_json(),
            info);
    }
    void custom(std::string_view key, const CustomOption& option, const OptionInfo& info) override {
        ordered_json entry = option.schema;
        entry["description"] = info.help;
        put(key, std::move(entry), info);
    }
    void section(std::string_view key, const std::string& help,
                 const std::function<void(OptionVisitor&)>& visit) override {
        ordered_json entry = schema_of_options(visit);
        entry["description"] = help;
        properties[std::string(key)] = std::move(entry);
    }

  private:
    static ordered_json text_schema(const OptionInfo& info) {
        ordered_json schema{{"type", "string"}};
        if (!info.choices.empty()) schema["enum"] = info.choices;
        return schema;
    }
    void add(std::string_view key, ordered_json entry, const ordered_json& value,
             const OptionInfo& info) {
        entry["description"] = info.help;
        if (std::isfinite(info.minimum)) entry["minimum"] = info.minimum;
        if (std::isfinite(info.maximum)) entry["maximum"] = info.maximum;
        if (!info.required && !value.is_null()) entry["default"] = value;
        put(key, std::move(entry), info);
    }
    void put(std::string_view key, ordered_json entry, const OptionInfo& info) {
        properties[std::string(key)] = std::move(entry);
        if (info.required) required.emplace_back(key);
    }
};

class Describer : public UniformVisitor<Describer> {
  public:
    explicit Describer(std::string prefix) : prefix_(std::move(prefix)) {}
    std::string text;

    template <class T>
    void any(std::string_view key, T& value, const OptionInfo& info) {
        SchemaMaker maker;
        maker.any(key, value, info);
        const auto& entry = maker.properties.begin().value();
        std::string note = info.help;
        std::vector<std::string> choices = info.choices;
        std::erase(choices, "");  // for the default
        if (!choices.empty()) note += fmt::format("; one of {}", fmt::join(choices, ", "));
        if (entry.contains("default") && entry["default"] != "")
            note += fmt::format(" (default {})", entry["default"].dump());
        line(key, note);
    }
    void custom(std::string_view key, const CustomOption&, const OptionInfo& info) override {
        line(key, info.help);
    }
    void section(std::string_view key, const std::string&,
                 const std::function<void(OptionVisitor&)>& visit) override {
        Describer inner(prefix_ + std::string(key) + ".");
        visit(inner);
        text += inner.text;
    }

  private:
    void line(std::string_view key, const std::string& note) {
        text += fmt::format("  {:<34} {}\n", prefix_ + std::string(key), note);
    }
    std::string prefix_;
};

}  // namespace

void read_options(const YamlReader& map, const VisitOptions& visit) {
    Reader reader(map);
    visit(reader);
    reader.finish();
}

YAML::Node write_options(const VisitOptions& visit) {
    Writer writer;
    visit(writer);
    return writer.map;
}

ordered_json schema_of_options(const VisitOptions& visit) {
    SchemaMaker maker;
    visit(maker);
    ordered_json schema{
        {"type", "object"}, {"additionalProperties", false}, {"properties", maker.properties}};
    if (!maker.required.empty()) schema["required"] = maker.required;
    return schema;
}

std::string describe_options(const VisitOptions& visit) {
    Describer describer("");
    visit(describer);
    return describer.text;
}

}  // namespace galapagos
