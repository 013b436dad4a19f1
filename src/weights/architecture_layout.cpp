#include "weights/architecture_layout.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace galapagos {
namespace {

/// Llama, and its relatives that differ in biases and head norms only. Row biases of a matrix that
/// is cut by columns (o_proj, down_proj) are whole: they are added once, after the sum over ranks.
ArchitectureLayout llama_family() {
    ArchitectureLayout layout;
    layout.model_types = {"llama", "mistral", "qwen2", "qwen3"};
    layout.embedding = "model.embed_tokens.weight";
    layout.head = "lm_head.weight";
    layout.ignored_suffixes = {"rotary_emb.inv_freq"};
    layout.rules = {
        {"embed_tokens.weight", 0, {Axis::vocab}},
        {"lm_head.weight", 0, {Axis::vocab}},
        {"self_attn.q_proj.weight", 0, {Axis::query}},
        {"self_attn.q_proj.bias", 0, {Axis::query}},
        {"self_attn.k_proj.weight", 0, {Axis::kv}},
        {"self_attn.k_proj.bias", 0, {Axis::kv}},
        {"self_attn.v_proj.weight", 0, {Axis::kv}},
        {"self_attn.v_proj.bias", 0, {Axis::kv}},
        {"self_attn.o_proj.weight", 1, {Axis::query}},
        {"self_attn.o_proj.bias", -1, {}},
        {"self_attn.q_norm.weight", -1, {}},
        {"self_attn.k_norm.weight", -1, {}},
        {"mlp.gate_proj.weight", 0, {Axis::intermediate}},
        {"mlp.gate_proj.bias", 0, {Axis::intermediate}},
        {"mlp.up_proj.weight", 0, {Axis::intermediate}},
        {"mlp.up_proj.bias", 0, {Axis::intermediate}},
        {"mlp.down_proj.weight", 1, {Axis::intermediate}},
        {"mlp.down_proj.bias", -1, {}},
        {"input_layernorm.weight", -1, {}},
        {"post_attention_layernorm.weight", -1, {}},
        {"model.norm.weight", -1, {}},
    };
    return layout;
}

/// Phi-3 fuses Q, K and V into one matrix of three blocks, gate and up into one of two.
ArchitectureLayout phi3() {
    ArchitectureLayout layout;
    layout.model_types = {"phi3"};
    layout.embedding = "model.embed_tokens.weight";
    layout.head = "lm_head.weight";
    layout.ignored_suffixes = {"rotary_emb.inv_freq"};
    layout.rules = {
        {"embed_tokens.weight", 0, {Axis::vocab}},
        {"lm_head.weight", 0, {Axis::vocab}},
        {"self_attn.qkv_proj.weight", 0, {Axis::query, Axis::kv, Axis::kv}},
        {"self_attn.o_proj.weight", 1, {Axis::query}},
        {"mlp.gate_up_proj.weight", 0, {Axis::intermediate, Axis::intermediate}},
        {"mlp.down_proj.weight", 1, {Axis::intermediate}},
        {"input_layernorm.weight", -1, {}},
        {"post_attention_layernorm.weight", -1, {}},
        {"model.norm.weight", -1, {}},
    };
    return layout;
}

/// GPT-2 stores its matrices [in, out]; c_attn holds Q, K and V side by side.
ArchitectureLayout gpt2() {
    ArchitectureLayout layout;
    layout.model_types = {"gpt2"};
    layout.keys = {.hidden = "n_embd",
                   .heads = "n_head",
                   .kv_heads = "n_head",
                   .head_dim = "head_dim",
                   .intermediate = "n_inner",
                   .vocab = "vocab_size",
                   .layers = "n_layer"};
    layout.intermediate_factor = 4;
    layout.embedding = "transformer.wte.weight";
    layout.head = "lm_head.weight";
    layout.tied_by_default = true;
    layout.transposed_linears = true;
    layout.ignored_suffixes = {"attn.bias", "attn.masked_bias"};
    layout.rules = {
        {"wte.weight", 0, {Axis::vocab}},
        {"lm_head.weight", 0, {Axis::vocab}},
        {"wpe.weight", -1, {}},
        {"attn.c_attn.weight", 1, {Axis::query, Axis::kv, Axis::kv}},
        {"attn.c_attn.bias", 0, {Axis::query, Axis::kv, Axis::kv}},
        {"attn.c_proj.weight", 0, {Axis::query}},
        {"attn.c_proj.bias", -1, {}},
        {"mlp.c_fc.weight", 1, {Axis::intermediate}},
        {"mlp.c_fc.bias", 0, {Axis::intermediate}},
        {"mlp.c_proj.weight", 0, {Axis::intermediate}},
        {"mlp.c_proj.bias", -1, {}},
        {"ln_1.weight", -1, {}},
        {"ln_1.bias", -1, {}},
        {"ln_2.weight", -1, {}},
        {"ln_2.bias", -1, {}},
        {"ln_f.weight", -1, {}},
        {"ln_f.bias", -1, {}},
    };
    return layout;
}

const std::vector<ArchitectureLayout>& table() {
    static const std::vector<ArchitectureLayout> layouts = {llama_family(), phi3(), gpt2()};
    return layouts;
}

}  // namespace

const ArchitectureLayout* find_layout(const nlohmann::json& config) {
    const auto model_type = config.find("model_type");
    if (model_type == config.end() || !model_type->is_string()) return nullptr;
    for (const auto& layout : table()) {
        const auto& types = layout.model_types;
        if (std::find(types.begin(), types.end(), model_type->get_ref<const std::string&>()) !=
            types.end()) {
            return &layout;
        }
    }
    return nullptr;
}

const TensorRule* find_rule(const ArchitectureLayout& layout, std::string_view tensor_name) {
    for (const auto& rule : layout.rules) {
        if (ends_with_component(tensor_name, rule.suffix)) return &rule;
    }
    return nullptr;
}

bool ends_with_component(std::string_view name, std::string_view suffix) noexcept {
    if (!name.ends_with(suffix)) return false;
    return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

std::string known_model_types() {
    std::string names;
    for (const auto& layout : table()) {
        for (const auto type : layout.model_types)
            names.append(names.empty() ? "" : ", ").append(type);
    }
    return names;
}

}  // namespace galapagos
