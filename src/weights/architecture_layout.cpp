#include "weights/architecture_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "weights/architecture_list.hpp"

namespace galapagos {
namespace {

/// The rules that follow from what the modules do.
class RuleBuilder {
  public:
    explicit RuleBuilder(bool transposed) : transposed_(transposed) {}

    /// A matrix whose outputs are cut, and its bias with them.
    void by_output(std::string_view name, std::vector<Axis> blocks) {
        add(name, ".bias", 0, blocks);
        add(name, ".weight", transposed_ ? 1 : 0, std::move(blocks));
    }
    /// A matrix whose inputs are cut. Its bias is whole: it is added once, after the sum over
    /// ranks.
    void by_input(std::string_view name, Axis axis) {
        add(name, ".weight", transposed_ ? 0 : 1, {axis});
        add(name, ".bias", -1, {});
    }
    void whole(std::string_view name) {
        add(name, ".weight", -1, {});
        add(name, ".bias", -1, {});
    }
    void vocabulary(std::string_view name) {
        const size_t dot = name.rfind('.');  // files may leave out what is before
        add(dot == name.npos ? name : name.substr(dot + 1), ".weight", 0, {Axis::vocab});
    }

    std::vector<TensorRule> rules;

  private:
    void add(std::string_view name, std::string_view suffix, int dim, std::vector<Axis> blocks) {
        if (!name.empty())
            rules.push_back({fmt::format("{}{}", name, suffix), dim, std::move(blocks)});
    }

    bool transposed_;
};

std::vector<TensorRule> make_rules(const ArchitectureLayout& layout) {
    const TensorNames& names = layout.names;
    RuleBuilder builder(layout.transposed_linears);
    builder.vocabulary(names.embedding);
    builder.vocabulary(names.head);
    if (layout.query_key_value == QueryKeyValue::per_head)
        builder.by_output(names.query_key_value, {Axis::query_key_value});
    else
        builder.by_output(names.query_key_value, {Axis::query, Axis::kv, Axis::kv});
    builder.by_output(names.query, {Axis::query});
    builder.by_output(names.key, {Axis::kv});
    builder.by_output(names.value, {Axis::kv});
    builder.by_input(names.attention_output, Axis::query);
    builder.by_output(names.gate, {Axis::intermediate});
    builder.by_output(names.up, {Axis::intermediate});
    builder.by_output(names.gate_up, {Axis::intermediate, Axis::intermediate});
    builder.by_input(names.down, Axis::intermediate);
    for (const auto& name :
         {names.positions, names.attention_norm, names.attention_post_norm, names.query_norm,
          names.key_norm, names.mlp_norm, names.mlp_post_norm, names.router, names.final_norm})
        builder.whole(name);
    return std::move(builder.rules);
}

std::string weight_of(std::string_view module) {
    return module.empty() ? "" : fmt::format("{}.weight", module);
}

std::vector<ArchitectureLayout> make_table() {
    std::vector<ArchitectureLayout> layouts;
    for (auto* describe : {GALAPAGOS_ARCHITECTURES}) layouts.push_back(describe());
    for (ArchitectureLayout& layout : layouts) {
        layout.embedding = weight_of(layout.names.embedding);
        layout.positions = weight_of(layout.names.positions);
        layout.head = weight_of(layout.names.head);
        layout.rules = make_rules(layout);
    }
    return layouts;
}

}  // namespace

std::string TensorNames::layer_prefix(std::int64_t layer) const {
    return fmt::format("{}.{}.", layers, layer);
}

std::string TensorNames::expert_prefix(std::int64_t layer, std::int64_t expert) const {
    return fmt::format("{}.{}.{}.{}.", layers, layer, experts, expert);
}

std::string ArchitectureLayout::canonical_name(std::string_view stored) const {
    const bool complete =
        outer_prefix.empty() || stored.starts_with(outer_prefix) || stored == head;
    return complete ? std::string(stored) : fmt::format("{}{}", outer_prefix, stored);
}

const std::vector<ArchitectureLayout>& all_layouts() {
    static const std::vector<ArchitectureLayout> layouts = make_table();
    return layouts;
}

const ArchitectureLayout* find_layout(const nlohmann::json& config) {
    const auto model_type = config.find("model_type");
    if (model_type == config.end() || !model_type->is_string()) return nullptr;
    for (const auto& layout : all_layouts()) {
        const auto& types = layout.model_types;
        if (std::find(types.begin(), types.end(), model_type->get_ref<const std::string&>()) !=
            types.end()) {
            return &layout;
        }
    }
    return nullptr;
}

const TensorRule* find_rule(const ArchitectureLayout& layout, std::string_view tensor_name) {
    for (const auto& rule : layout.rules) {
        if (ends_with_component(tensor_name, rule.suffix)) return &rule;
    }
    return nullptr;
}

bool ends_with_component(std::string_view name, std::string_view suffix) noexcept {
    if (!name.ends_with(suffix)) return false;
    return name.size() == suffix.size() || name[name.size() - suffix.size() - 1] == '.';
}

std::string known_model_types() {
    std::string names;
    for (const auto& layout : all_layouts()) {
        for (const auto type : layout.model_types)
            names.append(names.empty() ? "" : ", ").append(type);
    }
    return names;
}

}  // namespace galapagos
