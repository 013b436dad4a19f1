// Activations and caps for one element, with the functions and roundings of the CPU's row kernels.
#pragma once

#include "base/host_device.hpp"
#include "model/cuda/elements.hpp"
#include "model/kernels/functions.hpp"
#include "weights/network_kinds.hpp"

namespace galapagos::cuda {

GALAPAGOS_HOST_DEVICE inline float activation_of(Activation kind, float x) {
    switch (kind) {
        case Activation::silu:
            return silu(x);
        case Activation::gelu:
            return gelu(x);
        case Activation::gelu_tanh:
            return gelu_tanh(x);
    }
    return x;
}

/// A logit of type T after its cap: cap * tanh(logit / cap), rounded as transformers does.
template <typename T>
GALAPAGOS_HOST_DEVICE inline float soft_capped(float logit, float cap) {
    if (cap == 0.0f) return logit;
    return rounded<T>(rounded<T>(hyperbolic_tangent(rounded<T>(logit / cap))) * cap);
}

}  // namespace galapagos::cuda
