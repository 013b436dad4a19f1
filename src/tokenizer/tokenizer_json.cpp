#include "tokenizer/tokenizer_json.hpp"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/files.hpp"
#include "base/json.hpp"
#include "tokenizer/decoder_json.hpp"
#include "tokenizer/json_component.hpp"
#include "tokenizer/normalizer_json.hpp"
#include "tokenizer/pre_tokenizer_json.hpp"
#include "tokenizer/vocabulary_json.hpp"

namespace galapagos {

namespace {

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

// An added token that is looked for in normalized text is normalized itself. The library refuses
// tokens that become equal or vanish that way.
void normalize_added_tokens(const Normalizer& normalizer, const JsonComponent& list,
                            std::vector<AddedToken>& tokens) {
    std::unordered_set<std::string> seen;
    for (AddedToken& token : tokens) {
        if (!token.normalized) {
            continue;
        }
        std::string content = normalizer.apply(token.content);
        if (content.empty() || !seen.insert(content).second) {
            list.refuse("\"" + token.content +
                        "\" is empty, or equal to another added token, after the normalizer");
        }
        if (content != token.content) {
            token.normalized_content = std::move(content);
        }
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
    const JsonComponent normalizer = optional("normalizer");
    const JsonComponent pre_tokenizer = optional("pre_tokenizer");
    auto [steps, byte_level] = read_pre_tokenizer(pre_tokenizer);
    TokenizerDescription description{
        read_normalizer(normalizer),       PreTokenizer(std::move(steps)),      {},
        read_decoder(optional("decoder")), read_bpe_settings(root.at("model")), {}};
    if (description.pre_tokenizer.needs_first_bytes() &&
        !description.normalizer.keeps_track_of_origin()) {
        pre_tokenizer.refuse("prepend_scheme first after a normalizer other than Prepend and " +
                             std::string("Replace of one character"));
    }
    if (byte_level) {
        description.model.alphabet = BpeSettings::Alphabet::bytes;
    } else {
        description.model.alphabet = BpeSettings::Alphabet::characters;
    }
    add_post_processor(optional("post_processor"), description.surrounding);
    if (root.has("added_tokens")) {
        const JsonComponent added = root.at("added_tokens");
        description.added_tokens = read_added_tokens(added, description.model.vocabulary);
        normalize_added_tokens(description.normalizer, added, description.added_tokens);
    }
    return description;
}

}  // namespace galapagos
