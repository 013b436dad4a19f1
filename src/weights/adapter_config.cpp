#include "weights/adapter_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"

namespace galapagos {
namespace {

using Json = nlohmann::ordered_json;  // the first pattern that matches wins, so their order counts

constexpr std::size_t max_bytes = std::size_t{16} << 20;

/// Settings that this file reads itself.
const std::set<std::string> understood = {"peft_type",        "r",
                                          "lora_alpha",       "use_rslora",
                                          "fan_in_fan_out",   "target_modules",
                                          "rank_pattern",     "alpha_pattern",
                                          "exclude_modules",  "layers_to_transform",
                                          "layers_pattern",   "bias",
                                          "init_lora_weights"};

/// Settings that concern training or bookkeeping, whatever their value.
const std::set<std::string> inert = {
    "task_type",      "auto_mapping",   "peft_version",  "base_model_name_or_path",
    "revision",       "lora_dropout",   "megatron_core", "qalora_group_size",
    "inference_mode", "runtime_config", "eva_config",    "ensure_weight_tying"};

/// What to say of settings that make an adapter something else than two matrices a module.
const std::map<std::string, std::string> refusals = {
    {"use_dora", "DoRA rescales whole columns"},
    {"lora_bias", "biases of the low-rank matrices are not supported"},
    {"modules_to_save", "whole replaced modules are not supported"},
    {"trainable_token_indices", "trained token embeddings are not supported"},
    {"target_parameters", "adapters of bare parameters are not supported"},
    {"layer_replication", "replicated layers are not supported"},
    {"alora_invocation_tokens", "an activated LoRA can't be merged"},
    {"use_qalora", "quantisation-aware LoRA is not supported"},
    {"megatron_config", "Megatron layers are not supported"},
};

/// Names file and key in every complaint.
class Reader {
  public:
    explicit Reader(const std::filesystem::path& path) : path_(path) {
        const std::string text = read_text(path, max_bytes);
        parse_json_strict(text, path.string(), {.bytes = max_bytes});
        document_ = Json::parse(text);
        if (!document_.is_object()) throw Error(path.string() + ": refused", "not a JSON object");
    }

    [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
        throw Error(fmt::format("{}: adapter refused at '{}'", path_.string(), key), why,
                    "merge the adapter with PEFT and use the merged folder as the model");
    }
    std::string place(const std::string& key) const {
        return fmt::format("{}: '{}'", path_.string(), key);
    }

    const Json& document() const { return document_; }
    const Json* find(const std::string& key) const {
        const auto found = document_.find(key);
        return found == document_.end() || found->is_null() ? nullptr : &*found;
    }

    bool flag(const std::string& key) const {
        const Json* value = find(key);
        if (value == nullptr) return false;
        if (!value->is_boolean()) refuse(key, value->dump() + " is neither true nor false");
        return value->get<bool>();
    }

    double number(const std::string& key, const Json& value, bool whole) const {
        const bool sound = value.is_number() && std::isfinite(value.get<double>()) &&
                           (!whole || (value.is_number_integer() && value.get<double>() < 1e9));
        if (!sound || (whole && value.get<double>() < 1)) {
            refuse(key, value.dump() + (whole ? " is not a positive integer" : " is not a number"));
        }
        return value.get<double>();
    }

    std::vector<std::string> strings(const std::string& key, const Json& value) const {
        std::vector<std::string> result;
        for (const auto& entry : value) {
            if (!entry.is_string()) refuse(key, entry.dump() + " is not a string");
            result.push_back(entry.get<std::string>());
        }
        return result;
    }

  private:
    std::filesystem::path path_;
    Json document_;
};

bool is_off(const Json& value) {
    return value.is_null() || value == false ||
           ((value.is_array() || value.is_object()) && value.empty()) || value == "";
}

void refuse_unsupported(const Reader& reader) {
    for (const auto& [key, value] : reader.document().items()) {
        if (understood.contains(key) || inert.contains(key) || is_off(value)) continue;
        const auto known = refusals.find(key);
        reader.refuse(key,
                      known != refusals.end() ? known->second : "this setting is not supported");
    }
    const Json* type = reader.find("peft_type");
    if (type == nullptr || *type != "LORA") reader.refuse("peft_type", "only LORA is supported");
    const Json* bias = reader.find("bias");
    if (bias != nullptr && *bias != "none")
        reader.refuse("bias", "trained biases are not supported");
    const Json* init = reader.find("init_lora_weights");
    const bool keeps_base = init == nullptr || init->is_boolean() || *init == "gaussian" ||
                            *init == "eva" || *init == "orthogonal";
    if (!keeps_base) {
        reader.refuse("init_lora_weights",
                      fmt::format("{} changes the base weights as well", init->dump()));
    }
}

ModuleList read_modules(const Reader& reader, const std::string& key) {
    const Json* value = reader.find(key);
    if (value == nullptr) return {};
    if (value->is_array()) return ModuleList(reader.strings(key, *value));
    if (!value->is_string()) reader.refuse(key, "neither a list nor a string");
    if (value->get<std::string>().empty()) return {};
    return ModuleList(ModulePattern(value->get<std::string>(), reader.place(key)));
}

/// Python: re.match(rf"(.*\.)?({key})$", module).
std::vector<std::pair<ModulePattern, double>> read_overrides(const Reader& reader,
                                                             const std::string& key, bool whole) {
    std::vector<std::pair<ModulePattern, double>> overrides;
    const Json* value = reader.find(key);
    if (value == nullptr) return overrides;
    if (!value->is_object()) reader.refuse(key, "not an object");
    for (const auto& [pattern, number] : value->items()) {
        overrides.emplace_back(
            ModulePattern(fmt::format("(.*\\.)?({})$", pattern), reader.place(key)),
            reader.number(key, number, whole));
    }
    return overrides;
}

void read_layers(const Reader& reader, ModuleSelector& selector) {
    const Json* layers = reader.find("layers_to_transform");
    if (layers == nullptr || (layers->is_array() && layers->empty())) return;
    if (selector.targets.is_pattern()) {
        reader.refuse("layers_to_transform",
                      "target_modules is an expression, which must select the layers itself");
    }
    selector.layers.emplace();
    const Json list = layers->is_array() ? *layers : Json::array({*layers});
    for (const auto& layer : list) {
        if (!layer.is_number_unsigned() || layer.get<std::uint64_t>() > 1'000'000) {
            reader.refuse("layers_to_transform", layer.dump() + " is not a layer number");
        }
        selector.layers->push_back(layer.get<int>());
    }
    const std::string key = "layers_pattern";
    const Json* pattern = reader.find(key);
    std::vector<std::string> expressions;
    if (pattern != nullptr && !is_off(*pattern)) {
        for (const auto& name :
             reader.strings(key, pattern->is_array() ? *pattern : Json::array({*pattern}))) {
            expressions.push_back(fmt::format("(?:^|.*?\\.){}\\.(?P<idx>\\d+)\\.", name));
        }
    } else {
        expressions.emplace_back(".*?\\.[^.]*\\.(?P<idx>\\d+)\\.");
    }
    for (const auto& expression : expressions) {
        selector.layer_patterns.emplace_back(expression, reader.place(key));
    }
}

bool is_all_linear(const Json* targets) {
    if (targets == nullptr || !targets->is_string()) return false;
    std::string text = targets->get<std::string>();
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text == "all-linear";
}

ModuleSelector read_selector(const Reader& reader) {
    ModuleSelector selector;
    selector.all_linear = is_all_linear(reader.find("target_modules"));
    if (!selector.all_linear) {
        selector.targets = read_modules(reader, "target_modules");
        if (selector.targets.empty()) reader.refuse("target_modules", "no modules are named");
    }
    selector.excluded = read_modules(reader, "exclude_modules");
    read_layers(reader, selector);
    return selector;
}

double overridden(const std::vector<std::pair<ModulePattern, double>>& overrides,
                  std::string_view module, double otherwise) {
    for (const auto& [pattern, value] : overrides) {
        if (pattern.matches_all(module)) return value;
    }
    return otherwise;
}

}  // namespace

AdapterConfig::AdapterConfig(const std::filesystem::path& path) {
    const Reader reader(path);
    refuse_unsupported(reader);
    const Json* rank = reader.find("r");
    const Json* alpha = reader.find("lora_alpha");
    // PEFT's defaults.
    rank_ = rank == nullptr ? 8 : reader.number("r", *rank, true);
    alpha_ = alpha == nullptr ? 8 : reader.number("lora_alpha", *alpha, false);
    rank_stabilised_ = reader.flag("use_rslora");
    // fan_in_fan_out tells how the base stores its matrices, which the architecture already does;
    // PEFT, too, corrects a wrong value.
    reader.flag("fan_in_fan_out");
    rank_overrides_ = read_overrides(reader, "rank_pattern", true);
    alpha_overrides_ = read_overrides(reader, "alpha_pattern", false);
    selector_ = read_selector(reader);
}

int AdapterConfig::rank(std::string_view module) const {
    return static_cast<int>(overridden(rank_overrides_, module, rank_));
}

double AdapterConfig::scaling(std::string_view module) const {
    const double rank = overridden(rank_overrides_, module, rank_);
    const double alpha = overridden(alpha_overrides_, module, alpha_);
    return alpha / (rank_stabilised_ ? std::sqrt(rank) : rank);
}

}  // namespace galapagos
