// The rows of a pass by the experts that they chose, on the host.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace galapagos::cuda {

class RowsOfExperts {
  public:
    /// `weights` [rows, experts] as ChooseExperts leaves them.
    void sort(std::span<const float> weights, std::int64_t experts);

    /// One expert's rows after the other's, ascending.
    std::span<const std::int32_t> all() const { return rows_; }
    /// Where an expert's begin, and how many there are.
    std::int64_t first(int expert) const { return first_[static_cast<std::size_t>(expert)]; }
    std::int64_t count(int expert) const { return first(expert + 1) - first(expert); }

  private:
    std::vector<std::int32_t> rows_;
    std::vector<std::int64_t> first_;
};

}  // namespace galapagos::cuda
