#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// One node of a YAML document that knows where it stands, so that every error names file, line and
/// key. Reads strictly: wrong types, duplicate and unknown keys are UsageErrors.
class YamlReader {
  public:
    static YamlReader from_file(const std::filesystem::path& path);
    /// `origin` stands for the file name in errors.
    static YamlReader from_text(const std::string& text, const std::string& origin);

    /// A document that was changed in memory; nodes that came from a file keep their lines, and
    /// what is wrong at or below one of `settings` ("search.genes") is an error of --set.
    static YamlReader from_node(YAML::Node node, const std::string& origin,
                                std::vector<std::string> settings);

    /// "jobs/a/evolve.yaml:12: search.genes", or "--set: search.genes"
    std::string where() const;
    const YAML::Node& node() const { return node_; }
    bool is_map() const { return node_.IsMap(); }
    bool is_list() const { return node_.IsSequence(); }
    bool is_scalar() const { return node_.IsScalar(); }
    bool is_null() const { return !node_.IsDefined() || node_.IsNull(); }

    /// The keys of a map in the order of the file.
    std::vector<std::string> keys() const;
    /// Refuses a map with a key that isn't listed, naming the nearest that is.
    void allow_only(const std::vector<std::string>& names) const;
    bool has(std::string_view key) const;
    /// The child of a map; UsageError when it is missing.
    YamlReader at(std::string_view key) const;
    std::optional<YamlReader> find(std::string_view key) const;
    /// The elements of a list.
    std::vector<YamlReader> elements() const;

    std::string as_string() const;
    double as_double() const;
    std::int64_t as_int() const;
    bool as_bool() const;
    /// True when the scalar reads as a number; a quoted one does not.
    bool looks_like_number() const;
    bool looks_like_bool() const;

    /// Throws a UsageError at this place.
    [[noreturn]] void fail(std::string_view why, std::string_view hint = {}) const;

  private:
    using Settings = std::shared_ptr<const std::vector<std::string>>;
    YamlReader(YAML::Node node, std::string origin, std::string path, Settings settings);
    YamlReader child(YAML::Node node, std::string path) const;
    bool is_set() const;
    void require_map() const;

    YAML::Node node_;
    std::string origin_;
    std::string path_;
    Settings settings_;  ///< null: none
};

}  // namespace galapagos
