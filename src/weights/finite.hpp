// Weights that are no numbers would turn every merge into nothing: they are found before one
// begins.
#pragma once

#include <cstdint>
#include <optional>

#include "weights/source.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

/// Row-major index of the first NaN or infinity; nothing if all elements are finite (integers
/// always are). Reads each byte once, with all threads.
std::optional<std::int64_t> first_not_finite(const TensorView& tensor);

/// Throws Error that names source, tensor, element and value if one of the source's tensors holds a
/// NaN or an infinity.
void check_finite(const Source& source);

}  // namespace galapagos
