// A recipe resolved against its sources: what goes into each output tensor, in numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "merge/recipe.hpp"
#include "weights/source.hpp"
#include "weights/tensor.hpp"

namespace galapagos {

struct MergeInput {
    int source = 0;      ///< index into the sources
    std::string tensor;  ///< name in that source
    double weight = 1;
    double density = 1;
    double gamma = 0.01;    ///< breadcrumbs: share of the largest that is dropped
    double epsilon = 0.15;  ///< della: half the range of keep probabilities

    bool operator==(const MergeInput&) const = default;
};

/// One output tensor.
struct TensorMerge {
    std::string output_name;
    Shape shape;               ///< of the whole tensor
    DType dtype = DType::f32;  ///< of the result where files are written
    Method method = Method::linear;
    /// In the recipe's order; without the base where the method tells that from the others.
    std::vector<MergeInput> inputs;
    std::optional<MergeInput> base;
    bool normalize = false;
    Rescale rescale = Rescale::none;
    double lambda = 1;
    double t = 0;
    MethodNumbers numbers;
    /// A buffer of whole numbers that all sources agree on: inputs[0] is copied.
    bool copied = false;

    bool operator==(const TensorMerge&) const = default;
};

struct MergePlan {
    std::vector<TensorMerge> tensors;  ///< each output name once; embeddings, layers, norm and head
    std::int64_t layers = 0;           ///< of the output
    std::optional<std::uint64_t> random_seed;

    bool operator==(const MergePlan&) const = default;
};

/// Maps the model references of recipes to indices into the sources.
using SourceIndex = std::map<std::string, int, std::less<>>;

/// Every source under its name and under its reference ("folder" or "folder+adapter").
SourceIndex index_sources(const std::vector<std::shared_ptr<const Source>>& sources);

/// Resolves all parameters, with mergekit's order of look-up: source, slice, whole recipe, default.
/// A gradient's position is layer/(layers - 1) within its slice (1 for a slice of one layer, 0 for
/// embeddings, final norm and head). Filters look at the source's tensor name for weight and
/// density and at the output's for the rest.
/// Throws UsageError for a missing parameter or a set of sources that the method can't take, Error
/// for tensors that are missing or differ in shape; both name the tensor.
MergePlan make_plan(const Recipe& recipe, const std::vector<std::shared_ptr<const Source>>& sources,
                    const SourceIndex& index);

/// Opens every model that the recipe refers to, under the reference as its name. When weights are
/// mixed without a `tokenizer`, tokens that donor_model lacks are left out of the others.
std::vector<std::shared_ptr<const Source>> open_sources(const Recipe& recipe,
                                                        SourceOptions options = {});

}  // namespace galapagos
