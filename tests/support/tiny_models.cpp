#include "support/tiny_models.hpp"

#include <fstream>
#include <stdexcept>

#include "base/random.hpp"
#include "support/tiny_tokenizer.hpp"
#include "weights/safetensors_writer.hpp"

namespace galapagos::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

int head_dim_of(const TinyModelOptions& options) {
    return options.head_dim > 0 ? options.head_dim : options.hidden / options.heads;
}

void write_json(const fs::path& path, const json& document) {
    std::ofstream file(path);
    file << document.dump(2) << '\n';
    if (!file) throw std::runtime_error("can't write " + path.string());
}

/// Random values of a tensor in its own type: norms near one, everything else near zero.
std::vector<std::byte> random_tensor(const TensorSpec& spec, std::uint64_t seed,
                                     std::uint64_t index, double mean, double deviation) {
    RandomStream stream(seed, 0, Purpose::test, index);
    std::vector<float> values(static_cast<std::size_t>(element_count(spec.shape)));
    for (float& value : values) value = static_cast<float>(mean + deviation * stream.normal());
    std::vector<std::byte> bytes(spec.bytes());
    from_float(values.data(), values.size(), bytes.data(), spec.dtype);
    return bytes;
}

void write_tokenizer_files(const fs::path& folder, int vocab) {
    const json tokenizer = testing::tiny_tokenizer_json();
    if (vocab < static_cast<int>(tokenizer["model"]["vocab"].size()))
        throw std::runtime_error("the tiny tokenizer needs a larger vocabulary");
    write_json(folder / "tokenizer.json", tokenizer);
    const json end = tokenizer["added_tokens"][0]["content"];
    write_json(folder / "tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                                  {"bos_token", end},
                                                  {"eos_token", end},
                                                  {"unk_token", end}});
}

}  // namespace

json tiny_config(const TinyModelOptions& options) {
    const int end = options.tokenizer ? 0 : options.vocab - 1;
    json config = {{"architectures", {"LlamaForCausalLM"}},
                   {"model_type", "llama"},
                   {"hidden_size", options.hidden},
                   {"intermediate_size", options.intermediate},
                   {"num_hidden_layers", options.layers},
                   {"num_attention_heads", options.heads},
                   {"num_key_value_heads", options.kv_heads},
                   {"head_dim", head_dim_of(options)},
                   {"vocab_size", options.vocab},
                   {"hidden_act", "silu"},
                   {"max_position_embeddings", 512},
                   {"rms_norm_eps", 1e-5},
                   {"rope_theta", 10000.0},
                   {"attention_bias", false},
                   {"mlp_bias", false},
                   {"tie_word_embeddings", options.tied},
                   {"bos_token_id", end},
                   {"eos_token_id", end},
                   {"torch_dtype", torch_name_of(options.dtype)}};
    config.update(options.extra_config);
    return config;
}

std::vector<TensorSpec> tiny_tensors(const TinyModelOptions& options) {
    const std::int64_t hidden = options.hidden;
    const std::int64_t queries = std::int64_t{options.heads} * head_dim_of(options);
    const std::int64_t keys = std::int64_t{options.kv_heads} * head_dim_of(options);
    std::vector<TensorSpec> specs;
    const auto add = [&](const std::string& name, Shape shape) {
        specs.push_back({name, options.dtype, std::move(shape)});
    };
    add("model.embed_tokens.weight", {options.vocab, hidden});
    for (int layer = 0; layer < options.layers; ++layer) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".";
        add(prefix + "self_attn.q_proj.weight", {queries, hidden});
        add(prefix + "self_attn.k_proj.weight", {keys, hidden});
        add(prefix + "self_attn.v_proj.weight", {keys, hidden});
        add(prefix + "self_attn.o_proj.weight", {hidden, queries});
        add(prefix + "mlp.gate_proj.weight", {options.intermediate, hidden});
        add(prefix + "mlp.up_proj.weight", {options.intermediate, hidden});
        add(prefix + "mlp.down_proj.weight", {hidden, options.intermediate});
        add(prefix + "input_layernorm.weight", {hidden});
        add(prefix + "post_attention_layernorm.weight", {hidden});
    }
    add("model.norm.weight", {hidden});
    if (!options.tied) add("lm_head.weight", {options.vocab, hidden});
    return specs;
}

fs::path make_tiny_model(const fs::path& folder, const TinyModelOptions& options) {
    fs::create_directories(folder);
    write_json(folder / "config.json", tiny_config(options));
    if (options.tokenizer) write_tokenizer_files(folder, options.vocab);
    const auto specs = tiny_tensors(options);
    SafetensorsWriterOptions writer_options;
    writer_options.sync = false;
    writer_options.max_shard_bytes = options.max_shard_bytes;
    SafetensorsWriter writer(folder, specs, writer_options);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const double mean = specs[i].shape.size() == 1 ? 1.0 : 0.0;
        writer.write(specs[i].name, random_tensor(specs[i], options.seed, i, mean, options.scale));
    }
    writer.finish();
    return folder;
}

fs::path make_tiny_adapter(const fs::path& folder, const TinyModelOptions& model,
                           const TinyAdapterOptions& options) {
    fs::create_directories(folder);
    json config = {{"peft_type", "LORA"},
                   {"task_type", "CAUSAL_LM"},
                   {"r", options.rank},
                   {"lora_alpha", options.alpha},
                   {"target_modules", options.target_modules},
                   {"bias", "none"},
                   {"use_rslora", false},
                   {"fan_in_fan_out", false},
                   {"modules_to_save", nullptr},
                   {"inference_mode", true}};
    config.update(options.extra_config);
    write_json(folder / "adapter_config.json", config);

    std::vector<TensorSpec> specs;
    for (const auto& tensor : tiny_tensors(model)) {
        for (const auto& target : options.target_modules) {
            const std::string suffix = "." + target + ".weight";
            if (!tensor.name.ends_with(suffix)) continue;
            const std::string module =
                "base_model.model." +
                tensor.name.substr(0, tensor.name.size() - std::string(".weight").size());
            specs.push_back(
                {module + ".lora_A.weight", options.dtype, {options.rank, tensor.shape[1]}});
            specs.push_back(
                {module + ".lora_B.weight", options.dtype, {tensor.shape[0], options.rank}});
        }
    }
    SafetensorsWriterOptions writer_options;
    writer_options.sync = false;
    writer_options.stem = "adapter_model";
    SafetensorsWriter writer(folder, specs, writer_options);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        writer.write(specs[i].name, random_tensor(specs[i], options.seed, i, 0.0, options.scale));
    }
    writer.finish();
    return folder;
}

}  // namespace galapagos::test
