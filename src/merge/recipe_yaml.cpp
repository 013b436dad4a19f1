// Writing mergekit YAML. Text is written by hand: the subset is small, and numbers must come back
// bit for bit.
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <string>

#include "merge/recipe.hpp"

namespace galapagos {

namespace {

/// Double-quoted unless it is a plain word or path that no YAML reader takes for anything else.
std::string quoted(const std::string& text) {
    const bool plain = !text.empty() &&
                       (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '/') &&
                       text.find('/') != std::string::npos &&
                       text.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                           "/._-+") == std::string::npos;
    if (plain) return text;
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            result += "\\n";
        } else if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            constexpr const char* digits = "0123456789abcdef";
            result += "\\x";
            result += digits[byte >> 4];
            result += digits[byte & 15];
        } else {
            result += c;
        }
    }
    return result + "\"";
}

/// Shortest decimal that reads back as the same double, always with a dot: YAML 1.1 readers take
/// "1e-05" for text.
std::string number_text(double value) {
    std::array<char, 64> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    std::string text(buffer.data(), end);
    const auto exponent = text.find('e');
    const std::string mantissa = text.substr(0, exponent);
    const std::string dotted = mantissa.find('.') == std::string::npos ? mantissa + ".0" : mantissa;
    return exponent == std::string::npos ? dotted : dotted + text.substr(exponent);
}

std::string scalar_text(const ParameterScalar& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
    return quoted(std::get<std::string>(value));
}

std::string values_text(const std::vector<ParameterScalar>& values) {
    if (values.size() == 1) return scalar_text(values[0]);
    std::string text = "[";
    for (const ParameterScalar& value : values) {
        if (text.size() > 1) text += ", ";
        text += scalar_text(value);
    }
    return text + "]";
}

void write_parameters(std::string& out, const std::string& indent, const Parameters& parameters) {
    if (parameters.empty()) return;
    out += indent + "parameters:\n";
    for (const auto& [name, setting] : parameters) {
        if (setting.cases.size() == 1 && setting.cases[0].filter.empty()) {
            out += indent + "  " + name + ": " + values_text(setting.cases[0].values) + "\n";
            continue;
        }
        out += indent + "  " + name + ":\n";
        for (const ParameterCase& entry : setting.cases) {
            out += indent + "    - ";
            if (!entry.filter.empty())
                out += "filter: " + quoted(entry.filter) + "\n" + indent + "      ";
            out += "value: " + values_text(entry.values) + "\n";
        }
    }
}

void write_input(std::string& out, const std::string& indent, const RecipeInput& input) {
    out += indent + "- model: " + quoted(input.model) + "\n";
    if (input.layer_range)
        out += indent + "  layer_range: [" + std::to_string(input.layer_range->begin) + ", " +
               std::to_string(input.layer_range->end) + "]\n";
    write_parameters(out, indent + "  ", input.parameters);
}

/// Layers that follow each other with equal scales are written as one range.
void write_path(std::string& out, const LayerPath& path) {
    out += fmt::format("layer_path:\n  scale_rule: {}\n  hops:\n",
                       path.rule == ScaleRule::branch ? "branch" : "stream");
    for (std::size_t first = 0, next = 0; first < path.hops.size(); first = next) {
        const PathHop& hop = path.hops[first];
        const auto follows = [&](std::size_t i) {
            const auto ahead = static_cast<std::int64_t>(i - first);
            return path.hops[i] == PathHop{{hop.layer.model, hop.layer.layer + ahead}, hop.scale};
        };
        while (next < path.hops.size() && follows(next)) ++next;
        const std::int64_t begin = hop.layer.layer;
        const auto end = begin + static_cast<std::int64_t>(next - first);
        out += fmt::format("    - {{model: {}, ", quoted(hop.layer.model));
        out += end == begin + 1 ? fmt::format("layer: {}", begin)
                                : fmt::format("layer_range: [{}, {}]", begin, end);
        out += hop.scale == 1 ? "}\n" : fmt::format(", scale: {}}}\n", number_text(hop.scale));
    }
}

void write_token(std::string& out, const TokenSetting& token) {
    out += fmt::format("    {}:\n", quoted(token.token));
    if (token.from == TokenSetting::From::model)
        out += fmt::format("      source: {}\n", quoted(token.model));
    else if (token.from == TokenSetting::From::zero)
        out += "      source: {kind: zero}\n";
    else
        out +=
            fmt::format("      source: {{kind: model_token, model: {}, {}}}\n", quoted(token.model),
                        token.other_id ? fmt::format("token_id: {}", *token.other_id)
                                       : fmt::format("token: {}", quoted(token.other_token)));
    if (token.force) out += "      force: true\n";
}

void write_tokenizer(std::string& out, const TokenizerSetting& setting) {
    out += fmt::format("tokenizer:\n  source: {}\n", quoted(setting.source));
    if (setting.pad_to_multiple_of != 1)
        out += fmt::format("  pad_to_multiple_of: {}\n", setting.pad_to_multiple_of);
    if (!setting.tokens.empty()) out += "  tokens:\n";
    for (const TokenSetting& token : setting.tokens) write_token(out, token);
}

}  // namespace

std::string to_yaml(const Recipe& recipe) {
    std::string out;
    if (!recipe.layer_path) out += "merge_method: " + std::string(name_of(recipe.method)) + "\n";
    if (recipe.base_model) out += "base_model: " + quoted(*recipe.base_model) + "\n";
    if (recipe.layer_path) write_path(out, *recipe.layer_path);
    if (!recipe.models.empty()) out += "models:\n";
    for (const RecipeInput& input : recipe.models) write_input(out, "  ", input);
    if (!recipe.slices.empty()) out += "slices:\n";
    for (const RecipeSlice& slice : recipe.slices) {
        out += "  - sources:\n";
        for (const RecipeInput& input : slice.sources) write_input(out, "      ", input);
        if (slice.base_model) out += "    base_model: " + quoted(*slice.base_model) + "\n";
        write_parameters(out, "    ", slice.parameters);
    }
    write_parameters(out, "", recipe.parameters);
    if (recipe.tokenizer) write_tokenizer(out, *recipe.tokenizer);
    if (!recipe.chat_template.empty())
        out += "chat_template: " + quoted(recipe.chat_template) + "\n";
    if (recipe.dtype) out += "dtype: " + std::string(torch_name_of(*recipe.dtype)) + "\n";
    if (recipe.out_dtype)
        out += "out_dtype: " + std::string(torch_name_of(*recipe.out_dtype)) + "\n";
    if (recipe.random_seed) out += "random_seed: " + std::to_string(*recipe.random_seed) + "\n";
    return out;
}

}  // namespace galapagos
