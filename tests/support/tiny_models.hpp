// Tiny random models for tests: real Hugging Face folders, made in milliseconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/temporary_folder.hpp"
#include "weights/dtype.hpp"
#include "weights/tensor.hpp"

namespace galapagos::test {

using galapagos::testing::TemporaryFolder;

struct TinyModelOptions {
    int layers = 2;
    int hidden = 32;
    int heads = 4;
    int kv_heads = 2;
    int head_dim = 0;  ///< 0: hidden / heads
    int vocab = 64;    ///< with a tokenizer at least the 266 of tiny_tokenizer.hpp
    int intermediate = 48;
    bool tied = false;
    DType dtype = DType::f32;
    std::uint64_t seed = 1;
    double scale = 0.08;  ///< standard deviation of the matrices; norms are 1 + scale * normal
    bool tokenizer = false;
    std::uint64_t max_shard_bytes = 5'000'000'000;
    nlohmann::json extra_config = nlohmann::json::object();  ///< merged over config.json
};

/// config.json of such a model (a Llama).
nlohmann::json tiny_config(const TinyModelOptions& options);
/// Names, types and shapes of its tensors, in Hugging Face order.
std::vector<TensorSpec> tiny_tensors(const TinyModelOptions& options);
/// Writes the model into `folder` (made if need be) and returns `folder`. The same options give the
/// same bytes.
std::filesystem::path make_tiny_model(const std::filesystem::path& folder,
                                      const TinyModelOptions& options = {});

struct TinyAdapterOptions {
    int rank = 4;
    double alpha = 8;
    std::vector<std::string> target_modules = {"q_proj", "v_proj"};
    DType dtype = DType::f32;
    std::uint64_t seed = 7;
    double scale = 0.1;
    nlohmann::json extra_config = nlohmann::json::object();  ///< merged over adapter_config.json
};

/// Writes a PEFT LoRA adapter for such a model into `folder` and returns `folder`.
std::filesystem::path make_tiny_adapter(const std::filesystem::path& folder,
                                        const TinyModelOptions& model,
                                        const TinyAdapterOptions& options = {});

}  // namespace galapagos::test
