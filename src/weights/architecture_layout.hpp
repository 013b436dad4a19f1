// What the weights of an architecture are called, how they lie, and along which dimension each is
// cut. Every file in architectures/ describes one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "weights/network_kinds.hpp"

namespace galapagos {

struct Architecture;
class ConfigReader;

/// What a dimension of a tensor counts.
enum class Axis {
    query,            ///< query heads x head_dim
    kv,               ///< key-value heads x head_dim
    query_key_value,  ///< heads x (query, key, value) x head_dim
    intermediate,     ///< MLP width
    vocab,            ///< vocabulary rows
};

/// How the tensors whose names end with `suffix` (at a dot) are cut.
struct TensorRule {
    std::string suffix;
    int dim = -1;  ///< -1: every rank holds the whole tensor
    /// What lies along `dim`, in order; a fused matrix has several blocks, each cut by itself.
    std::vector<Axis> blocks;
};

/// Names of the sizes in config.json, and what an absent one means.
struct SizeKeys {
    std::string_view hidden = "hidden_size";
    std::string_view heads = "num_attention_heads";
    std::string_view kv_heads = "num_key_value_heads";
    std::string_view head_dim = "head_dim";  ///< empty: always hidden / heads
    std::string_view intermediate = "intermediate_size";
    std::string_view vocab = "vocab_size";
    std::string_view layers = "num_hidden_layers";
    std::int64_t default_kv_heads = 0;  ///< 0: as many as query heads
    std::int64_t default_head_dim = 0;  ///< 0: hidden / heads
};

/// Names of the modules, without ".weight" and ".bias"; an empty one does not exist. The defaults
/// are those of Llama.
struct TensorNames {
    std::string_view embedding = "model.embed_tokens";
    std::string_view positions = {};  ///< learned positions
    std::string_view layers = "model.layers";
    std::string_view final_norm = "model.norm";
    std::string_view head = "lm_head";

    // Within a layer.
    std::string_view attention_norm = "input_layernorm";
    std::string_view query = "self_attn.q_proj";
    std::string_view key = "self_attn.k_proj";
    std::string_view value = "self_attn.v_proj";
    std::string_view query_key_value = {};  ///< instead of the three
    std::string_view query_norm = {};       ///< of each head, before rotation
    std::string_view key_norm = {};
    std::string_view attention_output = "self_attn.o_proj";
    std::string_view attention_post_norm = {};  ///< of what attention adds to the residual stream
    std::string_view mlp_norm = "post_attention_layernorm";
    std::string_view mlp_post_norm = {};
    std::string_view router = {};   ///< mixture of experts
    std::string_view experts = {};  ///< holds experts 0, 1, ...

    // Within a layer, or within an expert.
    std::string_view gate = "mlp.gate_proj";  ///< empty: the MLP has no gate, or gate_up
    std::string_view up = "mlp.up_proj";
    std::string_view gate_up = {};  ///< instead of the two
    std::string_view down = "mlp.down_proj";

    /// "model.layers.3."
    std::string layer_prefix(std::int64_t layer) const;
    std::string expert_prefix(std::int64_t layer, std::int64_t expert) const;
};

struct ArchitectureLayout {
    /// Values of `model_type` that this entry describes.
    std::vector<std::string_view> model_types;
    SizeKeys keys;
    TensorNames names;
    QueryKeyValue query_key_value = QueryKeyValue::separate;
    std::int64_t intermediate_factor = 0;  ///< default MLP width in hidden sizes; 0: none
    bool tied_by_default = false;          ///< what a config.json without tie_word_embeddings means
    bool transposed_linears = false;       ///< matrices are stored [in, out]
    std::string_view outer_prefix = {};    ///< some files leave it out of all names but the head's
    /// Stored by some exporters, ignored by everyone.
    std::vector<std::string_view> ignored_suffixes = {"rotary_emb.inv_freq"};
    /// Reads what the forward pass needs besides sizes.
    void (*read_settings)(const ConfigReader& config, Architecture& architecture) = nullptr;

    // Derived from the above.
    std::string embedding;  ///< name of the token embedding's weight
    std::string positions;  ///< of the learned positions' weight, or empty
    std::string head;       ///< of the output head's weight where it is not tied
    std::vector<TensorRule> rules;

    /// A tensor's name as transformers writes it, from its name in a weight file.
    std::string canonical_name(std::string_view stored) const;
};

/// The entry for a config.json, or null if its `model_type` is not in the table.
const ArchitectureLayout* find_layout(const nlohmann::json& config);

/// Every architecture.
const std::vector<ArchitectureLayout>& all_layouts();

/// The rule for a tensor, or null.
const TensorRule* find_rule(const ArchitectureLayout& layout, std::string_view tensor_name);

/// True if `name` is `suffix` or ends with "." + `suffix`.
bool ends_with_component(std::string_view name, std::string_view suffix) noexcept;

/// The model types in the table, for messages.
std::string known_model_types();

}  // namespace galapagos
