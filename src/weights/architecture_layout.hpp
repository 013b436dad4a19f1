// What the weights of an architecture are called, and along which dimension each is cut. Data only:
// another architecture is another entry of the table in architecture_layout.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace galapagos {

/// What a dimension of a tensor counts.
enum class Axis {
    query,         ///< query heads x head_dim
    kv,            ///< key-value heads x head_dim
    intermediate,  ///< MLP width
    vocab,         ///< vocabulary rows
};

/// How the tensors whose names end with `suffix` (at a dot) are cut.
struct TensorRule {
    std::string_view suffix;
    int dim = -1;  ///< -1: every rank holds the whole tensor
    /// What lies along `dim`, in order; a fused matrix has several blocks, each cut by itself.
    std::vector<Axis> blocks;
};

/// Names of the sizes in config.json.
struct SizeKeys {
    std::string_view hidden = "hidden_size";
    std::string_view heads = "num_attention_heads";
    std::string_view kv_heads = "num_key_value_heads";
    std::string_view head_dim = "head_dim";
    std::string_view intermediate = "intermediate_size";
    std::string_view vocab = "vocab_size";
    std::string_view layers = "num_hidden_layers";
};

struct ArchitectureLayout {
    std::vector<std::string_view>
        model_types;  ///< values of `model_type` that this entry describes
    SizeKeys keys;
    std::int64_t intermediate_factor = 0;  ///< default MLP width in hidden sizes; 0: none
    std::string_view embedding;            ///< name of the token embedding
    std::string_view head;                 ///< name of the output head where it is not tied
    bool tied_by_default = false;          ///< what a config.json without tie_word_embeddings means
    bool transposed_linears = false;       ///< matrices are stored [in, out]
    /// Stored by some exporters, ignored by everyone.
    std::vector<std::string_view> ignored_suffixes;
    std::vector<TensorRule> rules;
};

/// The entry for a config.json, or null if its `model_type` is not in the table.
const ArchitectureLayout* find_layout(const nlohmann::json& config);

/// The rule for a tensor, or null.
const TensorRule* find_rule(const ArchitectureLayout& layout, std::string_view tensor_name);

/// True if `name` is `suffix` or ends with "." + `suffix`.
bool ends_with_component(std::string_view name, std::string_view suffix) noexcept;

/// The model types in the table, for messages.
std::string known_model_types();

}  // namespace galapagos
