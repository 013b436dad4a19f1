#include "tokenizer/tokenizer_json.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/files.hpp"
#include "base/json.hpp"
#include "tokenizer/digits_splitter.hpp"
#include "tokenizer/gpt2_splitter.hpp"
#include "tokenizer/json_component.hpp"
#include "tokenizer/vocabulary_json.hpp"

namespace galapagos {

namespace {

void check_normalizer(const JsonComponent& normalizer) {
    if (normalizer.is_null()) {
        return;
    }
    const std::string type = normalizer.type();
    if (type == "Sequence") {
        for (const JsonComponent& step : normalizer.at("normalizers").elements()) {
            check_normalizer(step);
        }
        return;
    }
    normalizer.refuse("unknown normalizer " + type);
}

// Splitters are known by the exact text of their pattern.
std::shared_ptr<const Splitter> find_splitter(const std::string& pattern) {
    constexpr std::string_view gpt2_pattern =
        R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    if (pattern == gpt2_pattern) {
        return std::make_shared<Gpt2Splitter>();
    }
    return nullptr;
}

PreTokenizer::Step read_split(const JsonComponent& split) {
    split.allow_only({"type", "pattern", "behavior", "invert"});
    if (split.at("behavior").text() != "Isolated" || split.flag("invert")) {
        split.refuse("only behavior Isolated, not inverted, is known");
    }
    const JsonComponent pattern = split.at("pattern").require_object();
    pattern.allow_only({"Regex"});
    const std::string expression = pattern.at("Regex").text();
    std::shared_ptr<const Splitter> splitter = find_splitter(expression);
    if (!splitter) {
        pattern.refuse("unknown pattern " + expression);
    }
    return {false, std::move(splitter)};
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

void add_pre_tokenizer(const JsonComponent& component, std::vector<PreTokenizer::Step>& steps,
                       bool& ended_by_byte_level) {
    const std::string type = component.is_null() ? "null" : component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "pretokenizers"});
        for (const JsonComponent& step : component.at("pretokenizers").elements()) {
            add_pre_tokenizer(step, steps, ended_by_byte_level);
        }
        return;
    }
    if (ended_by_byte_level) {
        component.refuse(type + " after ByteLevel would see bytes, not text");
    }
    if (type == "ByteLevel") {
        steps.push_back(read_byte_level(component));
        ended_by_byte_level = true;
    } else if (type == "Digits") {
        component.allow_only({"type", "individual_digits"});
        steps.push_back(
            {false, std::make_shared<DigitsSplitter>(component.flag("individual_digits"))});
    } else if (type == "Split") {
        steps.push_back(read_split(component));
    } else {
        component.refuse("unknown pre-tokenizer " + type);
    }
}

std::vector<PreTokenizer::Step> read_pre_tokenizer(const JsonComponent& component) {
    std::vector<PreTokenizer::Step> steps;
    bool ended_by_byte_level = false;
    add_pre_tokenizer(component, steps, ended_by_byte_level);
    if (!ended_by_byte_level) {
        component.refuse("no ByteLevel in it, so the model isn't byte-level BPE");
    }
    return steps;
}

std::vector<std::int32_t> template_ids(const JsonComponent& post_processor,
                                       const JsonComponent& token) {
    const std::string name = token.at("id").text();
    const JsonComponent special = post_processor.at("special_tokens").require_object().at(name);
    std::vector<std::int32_t> ids;
    for (const JsonComponent& id : special.require_object().at("ids").elements()) {
        ids.push_back(id.id());
    }
    return ids;
}

SurroundingTokens read_template(const JsonComponent& post_processor) {
    post_processor.allow_only({"type", "single", "pair", "special_tokens"});
    SurroundingTokens tokens;
    bool seen_text = false;
    for (const JsonComponent& piece : post_processor.at("single").elements()) {
        piece.require_object();
        if (piece.has("SpecialToken")) {
            const auto ids = template_ids(post_processor, piece.at("SpecialToken"));
            auto& side = seen_text ? tokens.after : tokens.before;
            side.insert(side.end(), ids.begin(), ids.end());
        } else if (!seen_text && piece.at("Sequence").at("id").text() == "A") {
            seen_text = true;
        } else {
            piece.refuse("a template for one text holds the sequence A once");
        }
    }
    if (!seen_text) {
        post_processor.at("single").refuse("a template for one text holds the sequence A once");
    }
    return tokens;
}

void add_post_processor(const JsonComponent& component, SurroundingTokens& tokens) {
    if (component.is_null()) {
        return;
    }
    const std::string type = component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "processors"});
        for (const JsonComponent& step : component.at("processors").elements()) {
            add_post_processor(step, tokens);
        }
    } else if (type == "TemplateProcessing") {
        const SurroundingTokens added = read_template(component);
        tokens.before.insert(tokens.before.begin(), added.before.begin(), added.before.end());
        tokens.after.insert(tokens.after.end(), added.after.begin(), added.after.end());
    } else if (type != "ByteLevel") {  // ByteLevel only mends offsets, which aren't kept here
        component.refuse("unknown post-processor " + type);
    }
}

void check_decoder(const JsonComponent& decoder) {
    const std::string type = decoder.is_null() ? "null" : decoder.type();
    if (type == "ByteLevel") {
        return;
    }
    if (type != "Sequence") {
        decoder.refuse("unknown decoder " + type);
    }
    const std::vector<JsonComponent> steps = decoder.at("decoders").elements();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        // After ByteLevel there is one text left, which Fuse doesn't change.
        const std::string expected = i == 0 ? "ByteLevel" : "Fuse";
        if (steps[i].type() != expected) {
            steps[i].refuse("unknown decoder " + steps[i].type() + " at this place");
        }
    }
    if (steps.empty()) {
        decoder.refuse("an empty sequence of decoders");
    }
}

}  // namespace

TokenizerDescription read_tokenizer_json(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    const nlohmann::json document = parse_json_strict(mapped.text(), file.string());
    const JsonComponent root(document, "", file.string());
    root.require_object();
    const auto optional = [&](const std::string& key) {
        static const nlohmann::json null_value;
        return root.has(key) ? root.at(key) : JsonComponent(null_value, key, file.string());
    };
    check_normalizer(optional("normalizer"));
    check_decoder(optional("decoder"));
    TokenizerDescription description;
    description.pre_tokenizer = read_pre_tokenizer(optional("pre_tokenizer"));
    add_post_processor(optional("post_processor"), description.surrounding);
    description.model = read_bpe_settings(root.at("model"));
    if (root.has("added_tokens")) {
        description.added_tokens =
            read_added_tokens(root.at("added_tokens"), description.model.vocabulary);
    }
    return description;
}

}  // namespace galapagos
