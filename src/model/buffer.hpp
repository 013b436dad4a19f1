#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace galapagos {

/// Memory for `size` elements of a trivial type, aligned to 64 bytes, not initialised. Pages that
/// are never written cost nothing.
template <typename T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t size)
        : data_(static_cast<T*>(::operator new(static_cast<size_t>(size) * sizeof(T), alignment))),
          size_(size) {}

    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    int64_t size() const { return size_; }

  private:
    static constexpr std::align_val_t alignment{64};
    struct Free {
        void operator()(T* memory) const { ::operator delete(memory, alignment); }
    };
    std::unique_ptr<T, Free> data_;
    int64_t size_ = 0;
};

}  // namespace galapagos
