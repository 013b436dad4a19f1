// What a person sees while a run goes on.
#pragma once

#include <cstdint>
#include <map>

#include "island/coordinator.hpp"

namespace galapagos {

/// On a terminal one live line per island; elsewhere (a batch log) one line a generation.
class ProgressPrinter {
  public:
    ProgressPrinter();
    void print(const ProgressReport& report);
    /// Leaves the live lines standing; later output goes below.
    void finish();

  private:
    bool live_;
    std::map<int, ProgressReport> latest_;
    int lines_drawn_ = 0;
};

}  // namespace galapagos
