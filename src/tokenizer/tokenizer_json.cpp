#include "tokenizer/tokenizer_json.hpp"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "tokenizer/digits_splitter.hpp"
#include "tokenizer/gpt2_splitter.hpp"

namespace galapagos {

namespace {

using nlohmann::json;

// Far beyond any vocabulary; tables by id stay small whatever the file says.
constexpr std::uint64_t id_limit = 1 << 24;

// A part of the document with its path, so that a refusal can say what it refuses.
class Component {
public:
    Component(const json& value, std::string path, std::string file)
        : value_(value), path_(std::move(path)), file_(std::move(file)) {}

    [[noreturn]] void refuse(const std::string& why) const {
        throw Error("can't use the tokenizer " + file_, path_ + ": " + why,
                    "tokenizers are read exactly or not at all; docs/tokenizers.md lists what is known");
    }

    bool is_null() const { return value_.is_null(); }
    const json& value() const { return value_; }
    const std::string& path() const { return path_; }

    Component require_object() const {
        if (!value_.is_object()) {
            refuse("an object is expected here");
        }
        return *this;
    }

    bool has(const std::string& key) const { return value_.contains(key); }

    Component at(const std::string& key) const {
        if (!value_.contains(key)) {
            refuse("\"" + key + "\" is missing");
        }
        return {value_.at(key), path_.empty() ? key : path_ + "." + key, file_};
    }

    std::vector<Component> elements() const {
        if (!value_.is_array()) {
            refuse("a list is expected here");
        }
        std::vector<Component> list;
        for (std::size_t i = 0; i < value_.size(); ++i) {
            list.emplace_back(value_[i], path_ + "[" + std::to_string(i) + "]", file_);
        }
        return list;
    }

    std::string text() const {
        if (!value_.is_string()) {
            refuse("text is expected here");
        }
        return value_.get<std::string>();
    }

    std::int32_t id() const {
        if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() >= id_limit) {
            refuse("a token id from 0 to " + std::to_string(id_limit - 1) + " is expected here");
        }
        return value_.get<std::int32_t>();
    }

    bool flag(const std::string& key, std::optional<bool> otherwise = {}) const {
        if (otherwise && !value_.contains(key)) {
            return *otherwise;
        }
        const Component child = at(key);
        if (!child.value_.is_boolean()) {
            child.refuse("true or false is expected here");
        }
        return child.value_.get<bool>();
    }

    std::string type() const { return require_object().at("type").text(); }

    // An option that this reader doesn't know could change the result.
    void allow_only(std::initializer_list<std::string_view> names) const {
        for (const auto& entry : value_.items()) {
            if (std::find(names.begin(), names.end(), entry.key()) == names.end()) {
                refuse("unknown option \"" + entry.key() + "\"");
            }
        }
    }

private:
    const json& value_;
    std::string path_;
    std::string file_;
};

void check_normalizer(const Component& normalizer) {
    if (normalizer.is_null()) {
        return;
    }
    const std::string type = normalizer.type();
    if (type == "Sequence") {
        for (const Component& step : normalizer.at("normalizers").elements()) {
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

PreTokenizer::Step read_split(const Component& split) {
    split.allow_only({"type", "pattern", "behavior", "invert"});
    if (split.at("behavior").text() != "Isolated" || split.flag("invert")) {
        split.refuse("only behavior Isolated, not inverted, is known");
    }
    const Component pattern = split.at("pattern").require_object();
    pattern.allow_only({"Regex"});
    const std::string expression = pattern.at("Regex").text();
    std::shared_ptr<const Splitter> splitter = find_splitter(expression);
    if (!splitter) {
        pattern.refuse("unknown pattern " + expression);
    }
    return {false, std::move(splitter)};
}

PreTokenizer::Step read_byte_level(const Component& byte_level) {
    byte_level.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    PreTokenizer::Step step;
    step.add_prefix_space = byte_level.flag("add_prefix_space");
    if (byte_level.flag("use_regex", true)) {
        step.splitter = std::make_shared<Gpt2Splitter>();
    }
    return step;
}

void add_pre_tokenizer(const Component& component, std::vector<PreTokenizer::Step>& steps,
                       bool& ended_by_byte_level) {
    const std::string type = component.is_null() ? "null" : component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "pretokenizers"});
        for (const Component& step : component.at("pretokenizers").elements()) {
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

std::vector<PreTokenizer::Step> read_pre_tokenizer(const Component& component) {
    std::vector<PreTokenizer::Step> steps;
    bool ended_by_byte_level = false;
    add_pre_tokenizer(component, steps, ended_by_byte_level);
    if (!ended_by_byte_level) {
        component.refuse("no ByteLevel in it, so the model isn't byte-level BPE");
    }
    return steps;
}

std::vector<std::int32_t> template_ids(const Component& post_processor, const Component& token) {
    const std::string name = token.at("id").text();
    const Component special = post_processor.at("special_tokens").require_object().at(name);
    std::vector<std::int32_t> ids;
    for (const Component& id : special.require_object().at("ids").elements()) {
        ids.push_back(id.id());
    }
    return ids;
}

SurroundingTokens read_template(const Component& post_processor) {
    post_processor.allow_only({"type", "single", "pair", "special_tokens"});
    SurroundingTokens tokens;
    bool seen_text = false;
    for (const Component& piece : post_processor.at("single").elements()) {
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

void add_post_processor(const Component& component, SurroundingTokens& tokens) {
    if (component.is_null()) {
        return;
    }
    const std::string type = component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "processors"});
        for (const Component& step : component.at("processors").elements()) {
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

void check_decoder(const Component& decoder) {
    const std::string type = decoder.is_null() ? "null" : decoder.type();
    if (type == "ByteLevel") {
        return;
    }
    if (type != "Sequence") {
        decoder.refuse("unknown decoder " + type);
    }
    const std::vector<Component> steps = decoder.at("decoders").elements();
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

std::unordered_map<std::string, std::int32_t> read_vocabulary(const Component& vocabulary) {
    vocabulary.require_object();
    std::unordered_map<std::string, std::int32_t> ids;
    std::unordered_set<std::int32_t> seen;
    ids.reserve(vocabulary.value().size());
    for (const auto& entry : vocabulary.value().items()) {
        const std::int32_t id = vocabulary.at(entry.key()).id();
        if (!seen.insert(id).second) {
            vocabulary.refuse("two tokens have the id " + std::to_string(id));
        }
        ids.emplace(entry.key(), id);
    }
    return ids;
}

// Merges are pairs in newer files, "left right" in older ones.
std::vector<std::pair<std::string, std::string>> read_merges(const Component& merges) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const Component& merge : merges.elements()) {
        if (merge.value().is_array()) {
            const std::vector<Component> sides = merge.elements();
            if (sides.size() != 2) {
                merge.refuse("a merge has two sides");
            }
            pairs.emplace_back(sides[0].text(), sides[1].text());
            continue;
        }
        const std::string line = merge.text();
        if (line.starts_with("#version")) {
            continue;
        }
        const std::size_t space = line.find(' ');
        if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
            merge.refuse("a merge is written as two tokens with one space between them");
        }
        pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    return pairs;
}

void refuse_unless_empty(const Component& model, const std::string& key) {
    if (model.has(key) && !model.at(key).is_null() && !model.at(key).text().empty()) {
        model.at(key).refuse("not known for byte-level BPE");
    }
}

BpeSettings read_model(const Component& model) {
    model.require_object();
    if (model.has("type") && model.type() != "BPE") {
        model.refuse("unknown model " + model.type());
    }
    model.allow_only({"type", "dropout", "unk_token", "continuing_subword_prefix",
                      "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                      "merges"});
    refuse_unless_empty(model, "continuing_subword_prefix");
    refuse_unless_empty(model, "end_of_word_suffix");
    if (model.has("dropout") && !model.at("dropout").is_null() &&
        model.at("dropout").value() != 0) {
        model.at("dropout").refuse("random dropout of merges makes ids irreproducible");
    }
    if (model.flag("byte_fallback", false)) {
        model.at("byte_fallback").refuse("not known for byte-level BPE");
    }
    BpeSettings settings;
    settings.vocabulary = read_vocabulary(model.at("vocab"));
    settings.merges = read_merges(model.at("merges"));
    settings.fuse_unknown = model.flag("fuse_unk", false);
    settings.ignore_merges = model.flag("ignore_merges", false);
    if (model.has("unk_token") && !model.at("unk_token").is_null()) {
        settings.unknown_token = model.at("unk_token").text();
    }
    return settings;
}

AddedToken read_added_token(const Component& component) {
    component.require_object();
    AddedToken token;
    token.id = component.at("id").id();
    token.content = component.at("content").text();
    token.single_word = component.flag("single_word");
    token.lstrip = component.flag("lstrip");
    token.rstrip = component.flag("rstrip");
    token.normalized = component.flag("normalized");
    token.special = component.flag("special");
    if (token.content.empty()) {
        component.at("content").refuse("an added token can't be empty");
    }
    return token;
}

// The Hugging Face library numbers added tokens itself: those of the vocabulary keep their id, others follow. A file whose ids differ
// would mean one thing to it and another to the model.
std::vector<AddedToken> read_added_tokens(
    const Component& list, const std::unordered_map<std::string, std::int32_t>& vocabulary) {
    std::vector<AddedToken> tokens;
    std::unordered_set<std::string> contents;
    auto next_id = static_cast<std::int32_t>(vocabulary.size());
    for (const Component& component : list.elements()) {
        AddedToken token = read_added_token(component);
        const auto known = vocabulary.find(token.content);
        const std::int32_t expected = known != vocabulary.end() ? known->second : next_id++;
        if (token.id != expected) {
            component.at("id").refuse("\"" + token.content + "\" has the id " +
                                      std::to_string(token.id) + " where its place gives it " +
                                      std::to_string(expected));
        }
        if (!contents.insert(token.content).second) {
            component.refuse("\"" + token.content + "\" is listed twice");
        }
        tokens.push_back(std::move(token));
    }
    return tokens;
}

}  // namespace

TokenizerDescription read_tokenizer_json(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    const json document = parse_json_strict(mapped.text(), file.string());
    const Component root = Component(document, "", file.string()).require_object();
    const auto optional = [&](const std::string& key) {
        static const json null_value;
        return root.has(key) ? root.at(key) : Component(null_value, key, file.string());
    };
    check_normalizer(optional("normalizer"));
    check_decoder(optional("decoder"));
    TokenizerDescription description;
    description.pre_tokenizer = read_pre_tokenizer(optional("pre_tokenizer"));
    add_post_processor(optional("post_processor"), description.surrounding);
    description.model = read_model(root.at("model"));
    if (root.has("added_tokens")) {
        description.added_tokens =
            read_added_tokens(root.at("added_tokens"), description.model.vocabulary);
    }
    return description;
}

}  // namespace galapagos
