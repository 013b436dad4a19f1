#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galapagos {

/// A PCRE2 pattern over UTF-8 with Unicode properties on. The same text gives the same matches on
/// every machine: no just-in-time compilation, whose limits differ, and a search that backtracks
/// too long counts as no match.
class Pattern {
  public:
    /// In place of a group's number: of each match the first group that isn't empty, if one is.
    static constexpr std::size_t any_group = static_cast<std::size_t>(-1);

    /// Throws UsageError with the place in the pattern and PCRE2's reason.
    explicit Pattern(const std::string& pattern);

    std::size_t group_count() const { return group_count_; }

    /// `group` of the first match in `text` (valid UTF-8); a group that took no part in the match
    /// is empty.
    std::optional<std::string_view> first(std::string_view text, std::size_t group) const;

    /// `group` of the last of the matches that follow one another without overlap.
    std::optional<std::string_view> last(std::string_view text, std::size_t group) const;

    /// Number of matches that follow one another without overlap.
    std::size_t count(std::string_view text) const;

    /// `text` without its matches, as Python's re.sub leaves it; as it is if a search backtracks
    /// too long.
    std::string remove_from(std::string_view text) const;

  private:
    struct Code;
    struct Match {
        std::size_t begin;
        std::size_t end;
        std::string_view group;
    };
    std::optional<Match> find(std::string_view text, std::size_t offset, std::size_t group) const;
    void walk(std::string_view text, std::size_t group,
              const std::function<void(std::string_view)>& visit) const;

    std::shared_ptr<const Code> code_;
    std::size_t group_count_ = 0;
};

}  // namespace galapagos
