#include "weights/architecture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "weights/architecture_settings.hpp"
#include "weights/model_sizes.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

void read_sizes(const ConfigReader& config, const json& document, Architecture& result) {
    const SizeKeys& keys = result.layout->keys;
    for (const auto& key : {keys.vocab, keys.hidden, keys.layers, keys.heads}) config.size(key);
    for (const auto& key : {keys.kv_heads, keys.head_dim, keys.intermediate})
        if (!key.empty() && config.has(key)) config.size(key);
    const ModelSizes sizes = read_model_sizes(*result.layout, document, config.origin());
    result.vocabulary = sizes.vocabulary;
    result.hidden = sizes.hidden;
    result.intermediate = sizes.intermediate;
    result.layers = sizes.layers;
    result.query_heads = sizes.query_heads;
    result.kv_heads = sizes.kv_heads;
    result.head_dim = sizes.head_dim;
    if (result.query_heads % result.kv_heads != 0)
        config.refuse(keys.kv_heads, fmt::format("it must divide {}", keys.heads));
    if ((keys.head_dim.empty() || !config.has(keys.head_dim)) && keys.default_head_dim == 0 &&
        result.hidden % result.query_heads != 0)
        config.refuse(keys.hidden,
                      fmt::format("without head_dim it must be a multiple of {}", keys.heads));
    if (result.head_dim % 2 != 0 || result.head_dim > 512)
        config.refuse(keys.head_dim.empty() ? keys.hidden : keys.head_dim,
                      "heads must have an even size of at most 512");
}

/// Adds a module's tensors, unless the architecture has no such module.
class TensorList {
  public:
    explicit TensorList(const Architecture& architecture) : a_(architecture) {}

    void matrix(const std::string& prefix, std::string_view name, int64_t out, int64_t in,
                bool bias) {
        if (name.empty()) return;
        const bool transposed = a_.layout->transposed_linears;
        add(prefix, name, ".weight", transposed ? Shape{in, out} : Shape{out, in});
        if (bias) add(prefix, name, ".bias", {out});
    }

    void norm(const std::string& prefix, std::string_view name, int64_t width) {
        if (name.empty()) return;
        add(prefix, name, ".weight", {width});
        if (a_.norm == NormKind::layer) add(prefix, name, ".bias", {width});
    }

    void add(const std::string& prefix, std::string_view name, std::string_view suffix,
             Shape shape) {
        if (!name.empty())
            tensors.push_back({fmt::format("{}{}{}", prefix, name, suffix), std::move(shape)});
    }

    std::vector<ModelTensor> tensors;

  private:
    const Architecture& a_;
};

void add_attention(const Architecture& a, const std::string& prefix, TensorList& list) {
    const TensorNames& names = a.layout->names;
    const int64_t q_width = a.query_heads * a.head_dim;
    const int64_t kv_width = a.kv_heads * a.head_dim;
    list.norm(prefix, names.attention_norm, a.hidden);
    if (a.layout->query_key_value == QueryKeyValue::separate) {
        list.matrix(prefix, names.query, q_width, a.hidden, a.query_key_value_bias);
        list.matrix(prefix, names.key, kv_width, a.hidden, a.query_key_value_bias);
        list.matrix(prefix, names.value, kv_width, a.hidden, a.query_key_value_bias);
    } else {
        list.matrix(prefix, names.query_key_value, q_width + 2 * kv_width, a.hidden,
                    a.query_key_value_bias);
    }
    list.norm(prefix, names.query_norm, a.head_dim);
    list.norm(prefix, names.key_norm, a.head_dim);
    list.matrix(prefix, names.attention_output, a.hidden, q_width, a.attention_output_bias);
    list.norm(prefix, names.attention_post_norm, a.hidden);
}

void add_mlp(const Architecture& a, const std::string& prefix, TensorList& list) {
    const TensorNames& names = a.layout->names;
    list.matrix(prefix, names.gate, a.intermediate, a.hidden, a.mlp_bias);
    list.matrix(prefix, names.up, a.intermediate, a.hidden, a.mlp_bias);
    list.matrix(prefix, names.gate_up, 2 * a.intermediate, a.hidden, a.mlp_bias);
    list.matrix(prefix, names.down, a.hidden, a.intermediate, a.mlp_bias);
}

}  // namespace

int64_t Architecture::most_positions() const {
    int64_t most = layout->names.positions.empty() ? 0 : max_positions;
    for (const RopeSettings& rope : ropes)
        if (rope.most_positions > 0)
            most = most == 0 ? rope.most_positions : std::min(most, rope.most_positions);
    return most;
}

Architecture Architecture::from_config(const json& config, const std::string& origin) {
    const ConfigReader reader(config, origin);
    Architecture result;
    result.model_type = reader.text("model_type", "");
    result.layout = find_layout(config);
    if (result.layout == nullptr)
        reader.refuse("model_type",
                      "the architecture \"" + result.model_type + "\" is not supported",
                      "supported: " + known_model_types());
    reader.refuse_unless("quantization_config", nullptr, "quantised weights are not supported");
    read_sizes(reader, config, result);
    result.tied_embeddings = reader.flag("tie_word_embeddings", result.layout->tied_by_default);
    result.layer_settings.assign(
        static_cast<size_t>(result.layers),
        {.attention_scale = 1.0 / std::sqrt(static_cast<double>(result.head_dim))});
    result.layout->read_settings(reader, result);
    reader.refuse_other_arithmetic();
    return result;
}

std::vector<ModelTensor> model_tensors(const Architecture& a) {
    const TensorNames& names = a.layout->names;
    TensorList list(a);
    list.add({}, names.embedding, ".weight", {a.vocabulary, a.hidden});
    list.add({}, names.positions, ".weight", {a.max_positions, a.hidden});
    for (int64_t layer = 0; layer < a.layers; ++layer) {
        const std::string prefix = names.layer_prefix(layer);
        add_attention(a, prefix, list);
        list.norm(prefix, names.mlp_norm, a.hidden);
        if (a.experts == 0) add_mlp(a, prefix, list);
        if (a.experts > 0) list.add(prefix, names.router, ".weight", {a.experts, a.hidden});
        for (int64_t expert = 0; expert < a.experts; ++expert)
            add_mlp(a, names.expert_prefix(layer, expert), list);
        list.norm(prefix, names.mlp_post_norm, a.hidden);
    }
    list.norm({}, names.final_norm, a.hidden);
    if (!a.tied_embeddings) list.add({}, names.head, ".weight", {a.vocabulary, a.hidden});
    return std::move(list.tensors);
}

std::vector<TensorSpec> arena_specs(const Architecture& architecture, const Sharding& sharding,
                                    DType dtype) {
    std::vector<TensorSpec> specs;
    for (const ModelTensor& tensor : model_tensors(architecture))
        specs.push_back({tensor.name, dtype, sharding.local_shape(tensor.name, tensor.shape)});
    return specs;
}

}  // namespace galapagos
