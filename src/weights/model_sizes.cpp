#include "weights/model_sizes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace galapagos {
namespace {

std::int64_t read_size(const nlohmann::json& config, std::string_view key,
                       const std::string& origin) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null())
        throw Error("can't read the sizes of the model", fmt::format("{} lacks '{}'", origin, key));
    const std::int64_t size = found->is_number_integer() ? found->get<std::int64_t>() : 0;
    if (size <= 0 || size > INT32_MAX) {
        throw Error(
            "can't read the sizes of the model",
            fmt::format("{}: '{}' is {} and not a positive integer", origin, key, found->dump()));
    }
    return size;
}

std::int64_t read_size(const nlohmann::json& config, std::string_view key,
                       const std::string& origin, std::int64_t otherwise) {
    const auto found = key.empty() ? config.end() : config.find(key);
    return found == config.end() || found->is_null() ? otherwise : read_size(config, key, origin);
}

}  // namespace

ModelSizes read_model_sizes(const ArchitectureLayout& layout, const nlohmann::json& config,
                            const std::string& origin) {
    const SizeKeys& keys = layout.keys;
    ModelSizes sizes;
    sizes.query_heads = read_size(config, keys.heads, origin);
    // An explicit null means "as many as query heads", an absent key the class default.
    const bool absent = config.find(keys.kv_heads) == config.end();
    sizes.kv_heads =
        read_size(config, keys.kv_heads, origin,
                  absent && keys.default_kv_heads > 0 ? keys.default_kv_heads : sizes.query_heads);
    sizes.hidden = read_size(config, keys.hidden, origin);
    sizes.intermediate = layout.intermediate_factor == 0
                             ? read_size(config, keys.intermediate, origin)
                             : read_size(config, keys.intermediate, origin,
                                         layout.intermediate_factor * sizes.hidden);
    sizes.vocabulary = read_size(config, keys.vocab, origin);
    sizes.head_dim = read_size(config, keys.head_dim, origin,
                               keys.default_head_dim > 0
                                   ? keys.default_head_dim
                                   : std::max<std::int64_t>(1, sizes.hidden / sizes.query_heads));
    sizes.layers = read_size(config, keys.layers, origin, 0);
    return sizes;
}

}  // namespace galapagos
