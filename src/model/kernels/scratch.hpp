// Memory that a thread's products work in.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace galapagos {
namespace {

/// Memory of this thread that grows to what its products need.
class Scratch {
  public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::free(data_); }

    float* floats(int64_t count) {
        if (count > size_) {
            std::free(data_);
            const auto bytes = (static_cast<size_t>(count) * sizeof(float) + 63) / 64 * 64;
            data_ = static_cast<float*>(std::aligned_alloc(64, bytes));
            if (data_ == nullptr) std::abort();
            size_ = count;
        }
        return data_;
    }

  private:
    float* data_ = nullptr;
    int64_t size_ = 0;
};
thread_local Scratch scratch;

}  // namespace
}  // namespace galapagos
