// Sources for merge tests.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "merge/merger.hpp"
#include "merge/plan.hpp"
#include "support/tiny_models.hpp"
#include "weights/safetensors_writer.hpp"

namespace galapagos::test {

using Sources = std::vector<std::shared_ptr<const Source>>;

/// Opens `folder` / name for every name, under that name.
inline Sources open_named(const TemporaryFolder& folder, const std::vector<std::string>& names) {
    Sources sources;
    for (const std::string& name : names)
        sources.push_back(Source::open({name, folder / name, std::nullopt}));
    return sources;
}

/// Sizes that tensor parallelism cuts unevenly, in bf16.
inline TinyModelOptions uneven_options() {
    TinyModelOptions options;
    options.hidden = 48;
    options.heads = 6;
    options.kv_heads = 3;
    options.head_dim = 8;
    options.intermediate = 40;
    options.vocab = 67;
    options.dtype = DType::bf16;
    return options;
}

/// Tiny models of different seeds under the given names.
inline Sources tiny_sources(const TemporaryFolder& folder, const std::vector<std::string>& names,
                            TinyModelOptions options = {}) {
    for (const std::string& name : names) {
        make_tiny_model(folder / name, options);
        ++options.seed;
    }
    return open_named(folder, names);
}

/// A model folder with the given fp32 tensors.
inline void write_model(const std::filesystem::path& folder,
                        const std::vector<std::pair<TensorSpec, std::vector<float>>>& tensors) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << tiny_config({}).dump();
    std::vector<TensorSpec> specs;
    for (const auto& tensor : tensors) specs.push_back(tensor.first);
    SafetensorsWriter writer(folder, specs);
    for (const auto& [spec, values] : tensors) {
        std::vector<std::byte> bytes(spec.bytes());
        from_float(values.data(), values.size(), bytes.data(), spec.dtype);
        writer.write(spec.name, bytes);
    }
    writer.finish();
}

inline std::vector<float> floats_of(const TensorView& view) {
    std::vector<float> values(static_cast<std::size_t>(view.numel()));
    to_float(view.data, view.dtype, values.data(), values.size());
    return values;
}

inline MergePlan plan_of(const std::string& yaml, const Sources& sources) {
    return make_plan(parse_recipe_text(yaml, "recipe.yaml"), sources, index_sources(sources));
}

inline std::vector<MergePlan> plans_of(const std::vector<std::string>& recipes,
                                       const Sources& sources) {
    std::vector<MergePlan> plans;
    for (const std::string& yaml : recipes) plans.push_back(plan_of(yaml, sources));
    return plans;
}

/// Merges one whole tensor of a plan to fp32.
inline std::vector<float> merged_floats(Merger& merger, const TensorMerge& tensor,
                                        std::optional<std::uint64_t> seed = std::nullopt) {
    std::vector<float> out(static_cast<std::size_t>(element_count(tensor.shape)));
    merger.merge_tensor(tensor, seed,
                        {reinterpret_cast<std::byte*>(out.data()), DType::f32, tensor.shape});
    return out;
}

}  // namespace galapagos::test
