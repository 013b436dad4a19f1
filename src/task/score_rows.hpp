#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "task/language_model.hpp"

namespace galapagos {

/// Rows to be scored, kept in the order in which they are cheapest to run: by length, rows of one
/// group (the choices of an item, which share their context) side by side.
class ScoreRows {
  public:
    /// Rows of a group are added one after the other.
    void add(ScoreRequest request, std::size_t group);

    /// Fixes the order; call once, after the last add.
    void sort();

    /// Scores in the order of the adds.
    std::vector<Score> run(LanguageModel& model, const std::function<bool()>& keep_going) const;

    std::size_t size() const { return requests_.size(); }
    std::int64_t tokens() const;

  private:
    std::vector<ScoreRequest> requests_;
    std::vector<std::size_t> groups_;     // by request
    std::vector<std::size_t> positions_;  // by request: its number in the order of the adds
};

}  // namespace galapagos
