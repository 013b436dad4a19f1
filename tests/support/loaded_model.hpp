// A model folder in memory, ready for a decoder: what a merge of one source with weight 1 would
// give.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "comm/tensor_group.hpp"
#include "model/decoder.hpp"
#include "weights/architecture.hpp"
#include "weights/arena.hpp"
#include "weights/dtype.hpp"
#include "weights/model_folder.hpp"
#include "weights/sharding.hpp"

namespace galapagos::test {

/// This rank's shard of a model, converted to `dtype`.
struct LoadedModel {
    LoadedModel(const std::filesystem::path& folder_path, DType dtype, int tp_size = 1,
                int tp_rank = 0)
        : folder(folder_path),
          architecture(
              Architecture::from_config(folder.config(), (folder_path / "config.json").string())),
          sharding(folder.config(), tp_size, tp_rank),
          arena(arena_specs(architecture, sharding, dtype)) {
        for (const ModelTensor& tensor : model_tensors(architecture)) load(tensor, dtype);
    }

    ModelFolder folder;
    Architecture architecture;
    Sharding sharding;
    Arena arena;

  private:
    void load(const ModelTensor& tensor, DType dtype) {
        const TensorView source = folder.tensor(tensor.name);
        std::vector<float> values(static_cast<std::size_t>(source.numel()));
        to_float(source.data, source.dtype, values.data(), values.size());
        const TensorView wide{reinterpret_cast<const std::byte*>(values.data()), DType::f32,
                              source.shape};
        const TensorSlice slice = sharding.slice(tensor.name, source.shape);
        std::vector<float> part(
            static_cast<std::size_t>(element_count(sliced_shape(slice, source.shape))));
        copy_slice(wide, slice,
                   {reinterpret_cast<std::byte*>(part.data()), DType::f32,
                    sliced_shape(slice, source.shape)});
        from_float(part.data(), part.size(), arena.tensor(tensor.name).data, dtype);
    }
};

}  // namespace galapagos::test
