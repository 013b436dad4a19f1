// A LoRA adapter and the weights that it changes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/adapter_config.hpp"
#include "weights/model_folder.hpp"
#include "weights/safetensors.hpp"

namespace galapagos {

/// A PEFT LoRA adapter, matched against its base model.
///
/// A changed weight is W + scaling * B A (Hu et al., "LoRA", 2021), transposed where the
/// architecture stores its matrices [in, out]. Product, scaling and sum are computed in float, the
/// terms of the product in order of rank, and rounded once to W's type. That is what PEFT's
/// merge_and_unload computes (its `safe_merge` rounds the delta first), up to the order in which
/// its matrix product adds: values that lie within float error of the middle between two neighbours
/// may round the other way.
class Adapter {
  public:
    /// Opens the adapter and checks that it changes exactly the modules its configuration selects
    /// in `base`, with fitting shapes. Throws Error naming file and tensor or setting.
    Adapter(const std::filesystem::path& folder, const ModelFolder& base);

    /// Names of the base's tensors that change, sorted.
    std::vector<std::string> changed_tensors() const;
    /// The changed tensor, in the type of the base. Bits do not depend on threads or instruction
    /// set.
    std::vector<std::byte> adapted(std::string_view tensor_name) const;

    /// The files that define the adapter.
    std::vector<std::filesystem::path> files() const { return {config_path_, weights_.path()}; }

  private:
    struct Module {
        TensorView a;  ///< [rank, in]
        TensorView b;  ///< [out, rank]
        double scaling = 1;
    };

    void read_modules();
    void check_selection() const;
    void check_shapes(const std::string& module_name, const Module& module) const;

    const ModelFolder& base_;
    std::filesystem::path config_path_;
    AdapterConfig config_;
    SafetensorsFile weights_;
    bool transposed_ = false;
    std::map<std::string, Module, std::less<>> modules_;  ///< by dotted path
};

}  // namespace galapagos
