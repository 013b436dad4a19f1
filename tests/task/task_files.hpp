#pragma once

#include <fstream>
#include <initializer_list>
#include <string>

#include "support/temporary_folder.hpp"
#include "support/tiny_tokenizer.hpp"
#include "task/task.hpp"
#include "tokenizer/tokenizer.hpp"

namespace galapagos::testing {

/// A folder with a task in it.
class TaskFiles {
  public:
    TaskFiles& write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return *this;
    }

    Task load() const { return Task::load(folder_ / "task.yaml"); }

    std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

    Tokenizer tokenizer() const { return Tokenizer::load(write_tokenizer(folder_.path())); }

  private:
    TemporaryFolder folder_;
};

}  // namespace galapagos::testing
