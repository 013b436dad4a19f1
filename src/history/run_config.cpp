#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "history/run_directory.hpp"

namespace galapagos {
namespace {

void flatten(const YAML::Node& node, const std::string& key,
             std::map<std::string, std::string>& values) {
    if (node.IsMap()) {
        for (const auto& child : node) {
            const auto name = child.first.as<std::string>();
            flatten(child.second, key.empty() ? name : key + "." + name, values);
        }
    } else if (node.IsSequence()) {
        for (size_t i = 0; i < node.size(); ++i)
            flatten(node[i], key + "[" + std::to_string(i) + "]", values);
    } else {
        values[key] = node.IsScalar() ? node.Scalar() : "";
    }
}

bool starts_with_key(const std::string& key, const std::string& prefix) {
    if (!key.starts_with(prefix)) return false;
    return key.size() == prefix.size() || key[prefix.size()] == '.' || key[prefix.size()] == '[';
}

}  // namespace

std::map<std::string, std::string> RunConfig::fixed_keys() const {
    std::map<std::string, std::string> values;
    try {
        flatten(YAML::Load(yaml), "", values);
    } catch (const YAML::Exception& error) {
        throw UsageError("can't read the run's configuration", error.what());
    }
    std::erase_if(values, [this](const auto& entry) {
        return std::any_of(may_change.begin(), may_change.end(), [&](const std::string& prefix) {
            return starts_with_key(entry.first, prefix);
        });
    });
    return values;
}

std::string RunConfig::hash() const {
    std::string text;
    for (const auto& [key, value] : fixed_keys()) text += key + "=" + value + "\n";
    return sha256_hex(std::string_view(text));
}

std::vector<std::string> config_differences(const RunConfig& before, const RunConfig& now) {
    const auto old_values = before.fixed_keys();
    const auto new_values = now.fixed_keys();
    std::vector<std::string> lines;
    for (const auto& [key, value] : old_values) {
        const auto found = new_values.find(key);
        if (found == new_values.end())
            lines.push_back(key + ": was " + value + ", now absent");
        else if (found->second != value)
            lines.push_back(key + ": was " + value + ", now " + found->second);
    }
    for (const auto& [key, value] : new_values)
        if (!old_values.contains(key)) lines.push_back(key + ": was absent, now " + value);
    return lines;
}

}  // namespace galapagos
