#include "model/arena_check.hpp"

#include <string>

#include "base/error.hpp"

namespace galapagos {

void check_arena(const Arena& arena, const std::vector<TensorSpec>& expected) {
    for (const TensorSpec& spec : expected) {
        const TensorView view = arena.view(spec.name);
        if (view.dtype != spec.dtype || view.shape != spec.shape)
            throw Error("Cannot decode from this arena",
                        "tensor " + spec.name + " is " + std::string(name_of(view.dtype)) + " " +
                            to_string(view.shape) + ", expected " +
                            std::string(name_of(spec.dtype)) + " " + to_string(spec.shape));
    }
}

}  // namespace galapagos
