#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/stream_decoder.hpp"

namespace galapagos {

/// Watches one generated row for stop strings, id by id, so that generation can end at once.
class StopDetector {
  public:
    /// `stop` must outlive the detector.
    StopDetector(Tokenizer tokenizer, const std::vector<std::string>& stop);

    /// `ids` are all ids of the row so far; looks at those that are new. True once the text, with
    /// special tokens in it, holds a stop string.
    bool advance(const std::vector<std::int32_t>& ids);

  private:
    StreamDecoder decoder_;
    const std::vector<std::string>& stop_;
    std::size_t longest_;
    std::size_t seen_ = 0;
    std::string tail_;  // end of the text, too short to hold a whole stop string
    bool stopped_ = false;
};

/// `text` up to the first occurrence of each of `stop`.
std::string_view cut_at_stop(std::string_view text, const std::vector<std::string>& stop);

}  // namespace galapagos
