#include "weights/adapter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/parallel.hpp"
#include "weights/architecture_layout.hpp"

namespace galapagos {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view module_prefix = "base_model.model.";
constexpr std::string_view weight_suffix = ".weight";

fs::path find_weights(const fs::path& folder) {
    const fs::path path = folder / "adapter_model.safetensors";
    if (fs::exists(path)) return path;
    throw Error(folder.string() + ": no adapter weights", "adapter_model.safetensors is missing",
                fs::exists(folder / "adapter_model.bin")
                    ? "PyTorch pickles are not read; save the adapter as safetensors"
                    : "name the folder that PEFT saved");
}

std::vector<float> as_floats(const TensorView& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.numel()));
    to_float(tensor.data, tensor.dtype, values.data(), values.size());
    return values;
}

std::vector<float> transpose(const std::vector<float>& matrix, std::int64_t rows,
                             std::int64_t columns) {
    std::vector<float> result(matrix.size());
    for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
            result[static_cast<std::size_t>(j * rows + i)] =
                matrix[static_cast<std::size_t>(i * columns + j)];
        }
    }
    return result;
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GALAPAGOS_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GALAPAGOS_VECTOR_CLONES
#endif

/// sum[j] = sum over k of factors[k] * right[k][j]. Every element adds its terms in the order of k,
/// with two roundings a term, whatever the vector width.
GALAPAGOS_VECTOR_CLONES
void row_times_matrix(const float* factors, const float* right, std::int64_t rank,
                      std::int64_t columns, float* sum) {
    constexpr std::int64_t block = 1024;  // sums that stay in the first-level cache
    for (std::int64_t begin = 0; begin < columns; begin += block) {
        const std::int64_t width = std::min(block, columns - begin);
        float* out = sum + begin;
        for (std::int64_t j = 0; j < width; ++j) out[j] = 0.0f;
        for (std::int64_t k = 0; k < rank; ++k) {
            const float factor = factors[k];
            const float* row = right + k * columns + begin;
            for (std::int64_t j = 0; j < width; ++j) out[j] += factor * row[j];
        }
    }
}

/// weight + scaling * left right, row by row; left is [rows, rank], right is [rank, columns].
std::vector<std::byte> add_product(const TensorView& weight, const std::vector<float>& left,
                                   const std::vector<float>& right, std::int64_t rank,
                                   float scaling) {
    const std::int64_t columns = weight.shape[1];
    const std::size_t row_bytes = static_cast<std::size_t>(columns) * size_of(weight.dtype);
    std::vector<std::byte> result(weight.bytes());
    parallel_for(0, weight.shape[0], 16, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> delta(static_cast<std::size_t>(columns));
        std::vector<float> row(static_cast<std::size_t>(columns));
        for (std::int64_t i = begin; i < end; ++i) {
            const std::size_t offset = static_cast<std::size_t>(i) * row_bytes;
            row_times_matrix(left.data() + i * rank, right.data(), rank, columns, delta.data());
            to_float(weight.data + offset, weight.dtype, row.data(), row.size());
            for (std::size_t j = 0; j < row.size(); ++j) row[j] += delta[j] * scaling;
            from_float(row.data(), row.size(), result.data() + offset, weight.dtype);
        }
    });
    return result;
}

std::string module_of(const std::string& tensor_name) {
    return tensor_name.substr(0, tensor_name.size() - weight_suffix.size());
}

/// True for the router of a mixture and the matrices of its experts.
bool is_expert(const ArchitectureLayout* layout, std::string_view module) {
    if (layout == nullptr || layout->names.router.empty()) return false;
    return ends_with_component(module, layout->names.router) ||
           module.find(fmt::format(".{}.", layout->names.experts)) != module.npos;
}

}  // namespace

Adapter::Adapter(const fs::path& folder, const ModelFolder& base)
    : base_(base),
      config_path_(folder / "adapter_config.json"),
      config_(config_path_),
      weights_(find_weights(folder)) {
    const ArchitectureLayout* layout = find_layout(base.config());
    transposed_ = layout != nullptr && layout->transposed_linears;
    read_modules();
    check_selection();
    for (const auto& [name, module] : modules_) check_shapes(name, module);
}

void Adapter::read_modules() {
    for (const auto& entry : weights_.entries()) {
        const auto refuse = [&](const std::string& why) {
            throw Error(weights_.path().string() + ": adapter refused",
                        fmt::format("tensor '{}': {}", entry.name, why),
                        "merge the adapter with PEFT and use the merged folder as the model");
        };
        if (!entry.name.starts_with(module_prefix)) refuse("its name does not begin as PEFT's do");
        std::string name = entry.name.substr(module_prefix.size());
        const bool is_a = name.ends_with(".lora_A.weight");
        const bool is_b = name.ends_with(".lora_B.weight");
        if (!is_a && !is_b) refuse("it is neither a lora_A nor a lora_B weight of a linear module");
        if (!is_mergeable(entry.dtype))
            refuse(fmt::format("type {} is not supported", name_of(entry.dtype)));
        if (entry.shape.size() != 2) refuse("it is not a matrix");
        name.resize(name.size() - std::string_view(".lora_A.weight").size());
        (is_a ? modules_[name].a : modules_[name].b) = weights_.tensor(entry);
    }
    for (auto& [name, module] : modules_) {
        if (module.a.data == nullptr || module.b.data == nullptr) {
            throw Error(weights_.path().string() + ": adapter refused",
                        fmt::format("module '{}' has no {}", name,
                                    module.a.data == nullptr ? "lora_A" : "lora_B"));
        }
        module.scaling = config_.scaling(name);
    }
}

void Adapter::check_selection() const {
    const ArchitectureLayout* layout = find_layout(base_.config());
    const std::string head(layout != nullptr ? layout->head : "lm_head.weight");
    for (const auto& name : base_.tensor_names()) {
        if (!name.ends_with(weight_suffix) || base_.tensor(name).shape.size() != 2) continue;
        const std::string module = module_of(name);
        const bool embedding =
            layout != nullptr && (name == layout->embedding || name == layout->positions);
        if (config_.selector().all_linear) {
            if (embedding) continue;
            // Linear modules of their own in transformers 4, parts of one parameter in 5.
            if (is_expert(layout, module) && !modules_.contains(module)) continue;
        }
        const bool selected = config_.selector().selects(module, name == head);
        if (selected && embedding) {
            throw Error(
                config_path_.string() + ": adapter refused at 'target_modules'",
                fmt::format("'{}' is an embedding, and embeddings are not supported", module));
        }
        if (selected == modules_.contains(module)) continue;
        const std::string why =
            selected
                ? fmt::format("the configuration selects '{}', but its weights are missing", module)
                : fmt::format("it holds weights of '{}', which the configuration does not select",
                              module);
        throw Error(weights_.path().string() + ": adapter refused", why);
    }
}

void Adapter::check_shapes(const std::string& module_name, const Module& module) const {
    const auto refuse = [&](const std::string& why) {
        throw Error(weights_.path().string() + ": adapter refused",
                    fmt::format("module '{}': {}", module_name, why),
                    "is this the base model that the adapter was trained on?");
    };
    const std::string tensor_name = module_name + std::string(weight_suffix);
    if (!base_.has(tensor_name)) {
        refuse(base_.tied() ? "the base has no weight of its own there (its head is tied)"
                            : "the base has no such weight");
    }
    const TensorView weight = base_.tensor(tensor_name);
    if (!is_mergeable(weight.dtype)) {
        refuse(fmt::format("the base stores it as {}, which can't be added to",
                           name_of(weight.dtype)));
    }
    const int rank = config_.rank(module_name);
    if (module.a.shape[0] != rank || module.b.shape[1] != rank) {
        refuse(fmt::format("lora_A {} and lora_B {} do not have rank {}", to_string(module.a.shape),
                           to_string(module.b.shape), rank));
    }
    Shape expected = {module.b.shape[0], module.a.shape[1]};
    if (transposed_) std::swap(expected[0], expected[1]);
    if (weight.shape != expected) {
        refuse(fmt::format("lora_A {} and lora_B {} do not fit the weight {}",
                           to_string(module.a.shape), to_string(module.b.shape),
                           to_string(weight.shape)));
    }
}

std::vector<std::string> Adapter::changed_tensors() const {
    std::vector<std::string> names;
    for (const auto& [name, module] : modules_) names.push_back(name + std::string(weight_suffix));
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::byte> Adapter::adapted(std::string_view tensor_name) const {
    const std::string name(tensor_name);
    const Module& module = modules_.at(module_of(name));
    const std::int64_t rank = module.a.shape[0];
    std::vector<float> left = as_floats(module.b);
    std::vector<float> right = as_floats(module.a);
    if (transposed_) {  // (B A)^T = A^T B^T
        std::swap(left, right);
        left = transpose(left, rank, module.a.shape[1]);
        right = transpose(right, module.b.shape[0], rank);
    }
    return add_product(base_.tensor(name), left, right, rank, static_cast<float>(module.scaling));
}

}  // namespace galapagos
