#pragma once

#include <string>

#include "base/error.hpp"
#include "merge/recipe.hpp"

namespace galapagos {

inline Recipe parse(const std::string& text) { return parse_recipe_text(text, "r.yaml"); }

/// Why a recipe is refused.
inline std::string error_of(const std::string& text) {
    try {
        parse(text);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no UsageError";
}

}  // namespace galapagos
