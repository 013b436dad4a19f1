#include "tokenizer/pre_tokenizer_json.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tokenizer/digits_splitter.hpp"
#include "tokenizer/gpt2_splitter.hpp"
#include "tokenizer/llama3_splitter.hpp"
#include "tokenizer/split_component.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

// Splitters are known by the exact text of their pattern.
std::shared_ptr<const Splitter> find_splitter(std::string_view pattern) {
    constexpr std::string_view gpt2 =
        R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    constexpr std::string_view llama3 =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    // The pattern as OpenAI writes it for cl100k; it cuts at the same places.
    constexpr std::string_view cl100k =
        R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
    constexpr std::string_view qwen2 =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    constexpr std::string_view qwen3_5 =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    if (pattern == gpt2) {
        return std::make_shared<Gpt2Splitter>();
    }
    if (pattern == llama3 || pattern == cl100k) {
        return std::make_shared<Llama3Splitter>(3);
    }
    if (pattern == qwen2) {
        return std::make_shared<Llama3Splitter>(1);
    }
    if (pattern == qwen3_5) {
        return std::make_shared<Llama3Splitter>(1, Llama3Splitter::Words::letters_and_marks);
    }
    return nullptr;
}

SplitBehavior read_behavior(const JsonComponent& component) {
    const std::string name = component.text();
    if (name == "Removed") {
        return SplitBehavior::removed;
    }
    if (name == "Isolated") {
        return SplitBehavior::isolated;
    }
    if (name == "MergedWithPrevious") {
        return SplitBehavior::merged_with_previous;
    }
    if (name == "MergedWithNext") {
        return SplitBehavior::merged_with_next;
    }
    if (name == "Contiguous") {
        return SplitBehavior::contiguous;
    }
    component.refuse("unknown behavior " + name);
}

PreTokenizer::Step read_split(const JsonComponent& split) {
    split.allow_only({"type", "pattern", "behavior", "invert"});
    const SplitBehavior behavior = read_behavior(split.at("behavior"));
    const bool invert = split.flag("invert");
    const JsonComponent pattern = split.at("pattern").require_object();
    PreTokenizer::Step step;
    if (pattern.has("String")) {
        pattern.allow_only({"String"});
        std::string text = pattern.at("String").text();
        if (text.empty()) {
            pattern.refuse("an empty pattern");
        }
        step.splitter = std::make_shared<LiteralSplitter>(std::move(text), behavior, invert);
        return step;
    }
    pattern.allow_only({"Regex"});
    const std::string expression = pattern.at("Regex").text();
    auto matches = find_splitter(expression);
    if (!matches) {
        pattern.refuse("unknown pattern " + expression);
    }
    step.splitter = std::make_shared<CoveringSplitter>(std::move(matches), behavior, invert);
    return step;
}

PreTokenizer::Step read_byte_level(const JsonComponent& byte_level) {
    byte_level.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    PreTokenizer::Step step;
    step.add_prefix_space = byte_level.flag("add_prefix_space");
    if (byte_level.flag("use_regex", true)) {
        step.splitter = std::make_shared<Gpt2Splitter>();
    }
    return step;
}

PreTokenizer::Step read_metaspace(const JsonComponent& component) {
    Metaspace metaspace;
    bool split = true;
    read_metaspace_options(component, metaspace, split);
    PreTokenizer::Step step;
    if (split) {
        step.splitter = std::make_shared<LiteralSplitter>(metaspace.replacement,
                                                          SplitBehavior::merged_with_next, false);
    }
    step.metaspace = std::move(metaspace);
    return step;
}

void add_step(const JsonComponent& component, PreTokenizerDescription& description) {
    const std::string type = component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "pretokenizers"});
        for (const JsonComponent& step : component.at("pretokenizers").elements()) {
            add_step(step, description);
        }
        return;
    }
    if (description.byte_level) {
        component.refuse(type + " after ByteLevel would see bytes, not text");
    }
    if (type == "ByteLevel") {
        description.steps.push_back(read_byte_level(component));
        description.byte_level = true;
    } else if (type == "Digits") {
        component.allow_only({"type", "individual_digits"});
        PreTokenizer::Step step;
        step.splitter = std::make_shared<DigitsSplitter>(component.flag("individual_digits"));
        description.steps.push_back(std::move(step));
    } else if (type == "Split") {
        description.steps.push_back(read_split(component));
    } else if (type == "Metaspace") {
        for (const PreTokenizer::Step& step : description.steps) {
            if (step.metaspace) {
                component.refuse("a second Metaspace");
            }
        }
        description.steps.push_back(read_metaspace(component));
    } else {
        component.refuse("unknown pre-tokenizer " + type);
    }
}

}  // namespace

void read_metaspace_options(const JsonComponent& component, Metaspace& metaspace, bool& split) {
    component.allow_only(
        {"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
    metaspace.replacement = component.at("replacement").text();
    if (count_code_points(metaspace.replacement) != 1) {
        component.at("replacement").refuse("one character is expected here");
    }
    const std::string scheme =
        component.has("prepend_scheme") ? component.at("prepend_scheme").text() : "always";
    const bool prefix = component.flag("add_prefix_space", true);
    if (scheme == "first" && prefix) {
        metaspace.prepend = Metaspace::Prepend::first;
    } else if (scheme == "always" && (prefix || !component.has("prepend_scheme"))) {
        metaspace.prepend = prefix ? Metaspace::Prepend::always : Metaspace::Prepend::never;
    } else if (scheme == "never") {
        metaspace.prepend = Metaspace::Prepend::never;
    } else {
        component.refuse("prepend_scheme " + scheme + " isn't first, always or never, or " +
                         "add_prefix_space speaks against it");
    }
    split = component.flag("split", true);
}

PreTokenizerDescription read_pre_tokenizer(const JsonComponent& component) {
    PreTokenizerDescription description;
    if (!component.is_null()) {
        add_step(component, description);
    }
    return description;
}

}  // namespace galapagos
