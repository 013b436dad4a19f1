// Parts that several sections of a recipe have.
#pragma once

#include <string>

#include "base/yaml.hpp"
#include "weights/sharding.hpp"

namespace galapagos {

/// "folder+adapter", or mergekit's long form {model: folder, lora: adapter}.
std::string read_model_reference(const YamlReader& reader);

/// [first, end), neither negative nor empty.
Range read_layer_range(const YamlReader& reader);

}  // namespace galapagos
