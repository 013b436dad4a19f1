#pragma once

#include <type_traits>

#include "model/kernels/row_kernels.hpp"

namespace galapagos {

/// Of an instruction set's two sets of kernels that for T.
template <typename T, template <typename> typename Kernels>
const Kernels<T>& of_type(const Kernels<float>& floats, const Kernels<Bf16>& bf16s) {
    if constexpr (std::is_same_v<T, float>)
        return floats;
    else
        return bf16s;
}

}  // namespace galapagos
