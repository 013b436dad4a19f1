// A human-readable log file.
#pragma once

#include <filesystem>
#include <string>

namespace galapagos {

/// Appends lines with UTC timestamps; each line reaches the file at once. What can't be written is
/// dropped: a log must not end a run.
class TextLog {
  public:
    explicit TextLog(const std::filesystem::path& file);
    TextLog(const TextLog&) = delete;
    TextLog& operator=(const TextLog&) = delete;
    ~TextLog();
    void line(const std::string& text);

  private:
    int descriptor_;
};

}  // namespace galapagos
