// A tiny random model of every architecture, as config.json and an arena.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "weights/architecture.hpp"
#include "weights/arena.hpp"
#include "weights/sharding.hpp"

namespace galapagos::test {

struct DeviceModel {
    std::string name;
    nlohmann::json config;
};

inline std::vector<DeviceModel> device_models() {
    using nlohmann::json;
    const json sizes = {{"vocab_size", 67},
                        {"hidden_size", 48},
                        {"intermediate_size", 70},
                        {"num_hidden_layers", 3},
                        {"num_attention_heads", 4},
                        {"num_key_value_heads", 2},
                        {"max_position_embeddings", 256},
                        {"tie_word_embeddings", false}};
    const json gpt2 = {{"vocab_size", 67}, {"n_embd", 48},  {"n_layer", 3},
                       {"n_head", 6},      {"n_inner", 70}, {"n_positions", 128}};
    const auto model = [&](const std::string& type, const json& more) {
        json config = type == "gpt2" ? gpt2 : sizes;
        config["model_type"] = type;
        config.update(more);
        return config;
    };
    return {
        {"llama", model("llama", {{"attention_bias", true}, {"mlp_bias", true}})},
        {"llama_uneven", model("llama", {{"num_attention_heads", 9},
                                         {"num_key_value_heads", 3},
                                         {"hidden_size", 54},
                                         {"tie_word_embeddings", true}})},
        {"mistral",
         model("mistral", {{"sliding_window", 7}, {"head_dim", 16}, {"num_key_value_heads", 1}})},
        {"qwen2", model("qwen2", {{"use_sliding_window", false}, {"rms_norm_eps", 1e-6}})},
        {"qwen3", model("qwen3", {{"head_dim", 32}, {"rms_norm_eps", 1e-6}})},
        {"gemma2", model("gemma2", {{"hidden_size", 60},
                                    {"num_attention_heads", 6},
                                    {"num_key_value_heads", 3},
                                    {"head_dim", 16},
                                    {"query_pre_attn_scalar", 20},
                                    {"sliding_window", 6},
                                    {"attn_logit_softcapping", 3.0},
                                    {"final_logit_softcapping", 5.0}})},
        {"gemma3", model("gemma3_text", {{"num_hidden_layers", 7},
                                         {"num_key_value_heads", 1},
                                         {"head_dim", 16},
                                         {"query_pre_attn_scalar", 30},
                                         {"sliding_window", 5},
                                         {"tie_word_embeddings", true}})},
        {"phi3", model("phi3", {{"hidden_size", 72},
                                {"num_attention_heads", 9},
                                {"num_key_value_heads", 3},
                                {"partial_rotary_factor", 0.5}})},
        {"gpt2", model("gpt2", json::object())},
        {"gpt_neox", model("gpt_neox", {{"hidden_size", 72}, {"num_attention_heads", 6}})},
        {"mixtral", model("mixtral", {{"num_local_experts", 5}, {"num_experts_per_tok", 2}})}};
}

/// One rank's shard of such a model; the whole has the same values at every width.
struct DrawnModel {
    DrawnModel(const DeviceModel& model, DType dtype, int tp_size = 1, int tp_rank = 0)
        : architecture(Architecture::from_config(model.config, model.name)),
          sharding(model.config, tp_size, tp_rank),
          arena(arena_specs(architecture, sharding, dtype)) {
        for (const ModelTensor& tensor : model_tensors(architecture)) draw(tensor, dtype);
    }

    Architecture architecture;
    Sharding sharding;
    Arena arena;

  private:
    void draw(const ModelTensor& tensor, DType dtype) {
        RandomStream stream(3, 0, Purpose::test, std::hash<std::string>{}(tensor.name));
        std::vector<float> whole(static_cast<std::size_t>(element_count(tensor.shape)));
        const bool is_norm = tensor.shape.size() == 1 && tensor.name.ends_with(".weight");
        for (float& value : whole)
            value = static_cast<float>((is_norm ? 1.0 : 0.0) + 0.25 * stream.normal());
        const TensorSlice slice = sharding.slice(tensor.name, tensor.shape);
        const Shape shape = sliced_shape(slice, tensor.shape);
        std::vector<float> part(static_cast<std::size_t>(element_count(shape)));
        copy_slice({reinterpret_cast<const std::byte*>(whole.data()), DType::f32, tensor.shape},
                   slice, {reinterpret_cast<std::byte*>(part.data()), DType::f32, shape});
        from_float(part.data(), part.size(), arena.tensor(tensor.name).data, dtype);
    }
};

}  // namespace galapagos::test
