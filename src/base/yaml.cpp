#include "base/yaml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/nearest.hpp"
#include "base/yaml_limits.hpp"

namespace galapagos {
namespace {

constexpr std::size_t max_bytes = 1u << 20;

bool parse_number(const std::string& text, double& value) {
    const char* begin = text.data();
    const char* end = begin + text.size();
    if (begin != end && *begin == '+') ++begin;
    const auto [rest, error] = std::from_chars(begin, end, value);
    return error == std::errc() && rest == end;
}

}  // namespace

YamlReader::YamlReader(YAML::Node node, std::string origin, std::string path, Settings settings)
    : node_(std::move(node)),
      origin_(std::move(origin)),
      path_(std::move(path)),
      settings_(std::move(settings)) {}

YamlReader YamlReader::child(YAML::Node node, std::string path) const {
    return {std::move(node), origin_, std::move(path), settings_};
}

YamlReader YamlReader::from_file(const std::filesystem::path& path) {
    return from_text(read_text(path, max_bytes), path.string());
}

YamlReader YamlReader::from_text(const std::string& text, const std::string& origin) {
    if (text.size() > max_bytes)
        throw UsageError(
            fmt::format("{}: refused", origin),
            fmt::format("{} bytes of YAML, more than the {} allowed here", text.size(), max_bytes));
    try {
        check_yaml_limits(text, origin);
        return {YAML::Load(text), origin, "", nullptr};
    } catch (const YAML::Exception& error) {
        throw UsageError(fmt::format("{}:{}: not valid YAML", origin, error.mark.line + 1),
                         error.msg);
    }
}

YamlReader YamlReader::from_node(YAML::Node node, const std::string& origin,
                                 std::vector<std::string> settings) {
    return {std::move(node), origin, "",
            std::make_shared<const std::vector<std::string>>(std::move(settings))};
}

bool YamlReader::is_set() const {
    if (!settings_) return false;
    const auto below = [](const std::string& inner, const std::string& outer) {
        return inner.starts_with(outer) &&
               (inner.size() == outer.size() || inner[outer.size()] == '.' ||
                inner[outer.size()] == '[');
    };
    // A map that isn't in the file was made for what is set in it.
    const bool made = !path_.empty() && node_.IsDefined() && node_.Mark().is_null();
    return std::any_of(settings_->begin(), settings_->end(), [&](const std::string& setting) {
        return below(path_, setting) || (made && below(setting, path_));
    });
}

std::string YamlReader::where() const {
    if (is_set()) return "--set: " + path_;
    const int line = node_.IsDefined() ? node_.Mark().line : -1;
    std::string place = line >= 0 ? fmt::format("{}:{}", origin_, line + 1) : origin_;
    if (!path_.empty()) place += ": " + path_;
    return place;
}

void YamlReader::fail(std::string_view why, std::string_view hint) const {
    throw UsageError(fmt::format("{}: refused", where()), why, hint);
}

void YamlReader::require_map() const {
    if (!node_.IsMap()) fail("expected a map of keys and values here");
}

std::vector<std::string> YamlReader::keys() const {
    require_map();
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const auto& entry : node_) {
        if (!entry.first.IsScalar()) fail("a key that is not plain text");
        names.push_back(entry.first.Scalar());
        const YamlReader place = child(entry.first, path_);
        if (!seen.insert(names.back()).second)
            place.fail(fmt::format("the key '{}' occurs twice", names.back()));
        if (names.back() == "<<")
            place.fail("keys of another map can't be merged in with <<", "write them out here");
    }
    return names;
}

void YamlReader::allow_only(const std::vector<std::string>& names) const {
    for (const auto& key : keys()) {
        if (std::find(names.begin(), names.end(), key) == names.end())
            at(key).fail(fmt::format("unknown key '{}'", key), name_hint(key, names));
    }
}

bool YamlReader::has(std::string_view key) const { return find(key).has_value(); }

std::optional<YamlReader> YamlReader::find(std::string_view key) const {
    require_map();
    for (const auto& entry : node_) {
        if (entry.first.IsScalar() && entry.first.Scalar() == key)
            return child(entry.second,
                         path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key));
    }
    return std::nullopt;
}

YamlReader YamlReader::at(std::string_view key) const {
    if (auto child = find(key)) return *child;
    fail(fmt::format("the key '{}' is missing", key));
}

std::vector<YamlReader> YamlReader::elements() const {
    if (!node_.IsSequence()) fail("expected a list here");
    std::vector<YamlReader> list;
    for (std::size_t i = 0; i < node_.size(); ++i)
        list.push_back(child(node_[i], fmt::format("{}[{}]", path_, i)));
    return list;
}

std::string YamlReader::as_string() const {
    if (!node_.IsScalar()) fail("expected text here");
    return node_.Scalar();
}

double YamlReader::as_double() const {
    double value = 0;
    if (!node_.IsScalar() || !parse_number(node_.Scalar(), value) || !std::isfinite(value))
        fail("expected a number here");
    return value;
}

std::int64_t YamlReader::as_int() const {
    std::int64_t value = 0;
    const std::string text = as_string();
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || rest != text.data() + text.size()) {
        double real = 0;  // 1e3 is a whole number too
        if (!parse_number(text, real) || real != std::floor(real) || std::abs(real) > 0x1p53)
            fail("expected a whole number here");
        value = static_cast<std::int64_t>(real);
    }
    return value;
}

bool YamlReader::looks_like_number() const {
    double value = 0;
    return node_.IsScalar() && node_.Tag() != "!" && parse_number(node_.Scalar(), value);
}

bool YamlReader::looks_like_bool() const {
    bool value = false;
    return node_.IsScalar() && node_.Tag() != "!" && YAML::convert<bool>::decode(node_, value);
}

bool YamlReader::as_bool() const {
    bool value = false;
    if (!node_.IsScalar() || !YAML::convert<bool>::decode(node_, value))
        fail("expected true or false here");
    return value;
}

}  // namespace galapagos
