// Tiny models for decoder tests, at the width of the MPI world and, for comparison, at width 1.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/tensor_group.hpp"
#include "model/decoder.hpp"
#include "support/loaded_model.hpp"
#include "support/tiny_models.hpp"

namespace galapagos::test {

/// Nine query heads over three key-value heads: no width but 3 divides them evenly.
inline TinyModelOptions uneven_model() {
    TinyModelOptions options;
    options.heads = 9;
    options.kv_heads = 3;
    options.head_dim = 8;
    options.hidden = 40;
    options.intermediate = 50;
    options.vocab = 67;
    options.scale = 0.3;
    return options;
}

/// One model folder with a decoder of the world's width over it.
class TestDecoder {
  public:
    explicit TestDecoder(const TinyModelOptions& model, DecoderOptions options = small())
        : folder_(make_tiny_model(directory_ / "model", model)),
          group_(Communicator::world()),
          loaded_(folder_, options.dtype, group_.size(), group_.rank()),
          decoder_(loaded_.architecture, loaded_.sharding, loaded_.arena, group_, options) {}

    Decoder* operator->() { return &decoder_; }
    Arena& arena() { return loaded_.arena; }
    const std::filesystem::path& folder() const { return folder_; }

    static DecoderOptions small() {
        DecoderOptions options;
        options.dtype = DType::f32;
        options.max_batch = 4;
        options.max_tokens = 64;
        options.batch_tokens = 48;
        return options;
    }

  private:
    TemporaryFolder directory_;
    std::filesystem::path folder_;
    TensorGroup group_;
    LoadedModel loaded_;
    Decoder decoder_;
};

/// The same folder on this rank alone.
class SingleDecoder {
  public:
    explicit SingleDecoder(const std::filesystem::path& folder,
                           DecoderOptions options = TestDecoder::small())
        : loaded_(folder, options.dtype),
          decoder_(loaded_.architecture, loaded_.sharding, loaded_.arena, group_, options) {}

    Decoder* operator->() { return &decoder_; }

  private:
    TensorGroup group_;
    LoadedModel loaded_;
    Decoder decoder_;
};

inline std::vector<int32_t> random_ids(int count, unsigned seed, int vocabulary = 64) {
    std::mt19937 engine(seed);
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (int32_t& id : ids) id = static_cast<int32_t>(engine() % static_cast<unsigned>(vocabulary));
    return ids;
}

}  // namespace galapagos::test
