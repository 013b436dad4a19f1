#include "weights/finite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/error.hpp"
#include "base/parallel.hpp"

namespace galapagos {
namespace {

constexpr std::int64_t grain = std::int64_t{1} << 20;  // elements
constexpr std::int64_t block = 4096;                   // elements looked at before a branch

/// In IEEE formats, NaN and infinity are the values whose exponent bits are all ones.
template <typename Word>
std::int64_t first_with_exponent(const std::byte* data, std::int64_t begin, std::int64_t end,
                                 Word exponent) {
    const auto word_at = [&](std::int64_t i) {
        Word word;  // tensors of a mapped file may have any alignment
        std::memcpy(&word, data + i * static_cast<std::int64_t>(sizeof word), sizeof word);
        return word;
    };
    for (std::int64_t i = begin; i < end; i += block) {
        const std::int64_t last = std::min(end, i + block);
        Word found = 0;  // no branch inside: this loop becomes vector code
        for (std::int64_t j = i; j < last; ++j)
            found |= static_cast<Word>((word_at(j) & exponent) == exponent);
        if (found == 0) continue;
        while ((word_at(i) & exponent) != exponent) ++i;
        return i;
    }
    return end;
}

template <typename Word>
std::int64_t first_in_tensor(const TensorView& tensor, Word exponent) {
    const std::int64_t count = tensor.numel();
    std::atomic<std::int64_t> first = count;
    parallel_for(0, count, grain, [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t found = first_with_exponent(tensor.data, begin, end, exponent);
        if (found == end) return;
        std::int64_t known = first.load();
        while (found < known && !first.compare_exchange_weak(known, found)) {
        }
    });
    return first.load();
}

std::int64_t first_in(const TensorView& tensor) {
    switch (tensor.dtype) {
        case DType::f32:
            return first_in_tensor<std::uint32_t>(tensor, 0x7F800000);
        case DType::f16:
            return first_in_tensor<std::uint16_t>(tensor, 0x7C00);
        case DType::bf16:
            return first_in_tensor<std::uint16_t>(tensor, 0x7F80);
        case DType::f64:
            return first_in_tensor<std::uint64_t>(tensor, 0x7FF0000000000000);
        default:
            return tensor.numel();
    }
}

/// "[1, 7]": where a row-major index lies.
std::string position_of(std::int64_t index, Shape shape) {
    for (auto size = shape.rbegin(); size != shape.rend(); ++size) {
        const std::int64_t place = index % *size;
        index /= *size;
        *size = place;
    }
    return to_string(shape);
}

}  // namespace

std::optional<std::int64_t> first_not_finite(const TensorView& tensor) {
    const std::int64_t first = first_in(tensor);
    return first == tensor.numel() ? std::nullopt : std::optional(first);
}

void check_finite(const Source& source) {
    for (const std::string& name : source.tensor_names()) {
        const TensorView tensor = source.tensor(name);
        if (const auto index = first_not_finite(tensor))
            throw Error(fmt::format("{}: refused", source.name()),
                        fmt::format("tensor '{}' holds NaN or infinity, first at {}", name,
                                    position_of(*index, tensor.shape)),
                        "the model is damaged, or was saved in a type too small for it");
    }
}

}  // namespace galapagos
