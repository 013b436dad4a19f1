#include "tokenizer/decoder_json.hpp"

#include <string>
#include <utility>

#include "tokenizer/decoder_steps.hpp"
#include "tokenizer/normalizer_json.hpp"
#include "tokenizer/pre_tokenizer_json.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos {

namespace {

/// Reads one component after the other. After Fuse or ByteLevel the text is one token, which grows:
/// what follows may only do what doesn't depend on where its parts were cut.
class DecoderReader {
  public:
    void add(const JsonComponent& component) {
        const std::string type = component.type();
        if (type == "Sequence") {
            component.allow_only({"type", "decoders"});
            for (const JsonComponent& step : component.at("decoders").elements()) {
                add(step);
            }
        } else if (type == "ByteLevel") {
            refuse_fused(component, type);
            component.allow_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
            steps_.push_back(byte_level_decoder());
            fused_ = true;
        } else if (type == "ByteFallback") {
            refuse_fused(component, type);
            component.allow_only({"type"});
            steps_.push_back(byte_fallback_decoder());
        } else if (type == "Fuse") {
            component.allow_only({"type"});
            fused_ = true;
        } else if (type == "Replace") {
            add_replace(component);
        } else if (type == "Strip") {
            add_strip(component);
        } else if (type == "Metaspace") {
            refuse_fused(component, type);
            Metaspace metaspace;
            bool split = true;
            read_metaspace_options(component, metaspace, split);
            steps_.push_back(metaspace_decoder(metaspace.replacement,
                                               metaspace.prepend != Metaspace::Prepend::never));
        } else {
            component.refuse("unknown decoder " + type);
        }
    }

    TokenDecoder finish() { return TokenDecoder(std::move(steps_)); }

  private:
    void refuse_fused(const JsonComponent& component, const std::string& type) const {
        if (fused_) {
            component.refuse(type + " after the tokens were joined");
        }
    }

    void add_replace(const JsonComponent& component) {
        component.allow_only({"type", "pattern", "content"});
        std::string pattern = read_literal_pattern(component);
        if (fused_ && count_code_points(pattern) != 1) {
            component.refuse("Replace of several characters after the tokens were joined");
        }
        steps_.push_back(replace_decoder(std::move(pattern), component.at("content").text()));
    }

    void add_strip(const JsonComponent& component) {
        component.allow_only({"type", "content", "start", "stop"});
        const std::string content = component.at("content").text();
        if (count_code_points(content) != 1) {
            component.at("content").refuse("one character is expected here");
        }
        if (component.at("stop").id() != 0) {
            component.at("stop").refuse("only 0 is known here");
        }
        steps_.push_back(strip_decoder(content,
                                       static_cast<std::size_t>(component.at("start").id()),
                                       fused_ ? StripScope::whole_text : StripScope::each_token));
    }

    std::vector<std::unique_ptr<DecoderStep>> steps_;
    bool fused_ = false;
};

}  // namespace

TokenDecoder read_decoder(const JsonComponent& component) {
    if (component.is_null()) {
        std::vector<std::unique_ptr<DecoderStep>> steps;
        steps.push_back(spaces_between_tokens());
        return TokenDecoder(std::move(steps));
    }
    DecoderReader reader;
    reader.add(component);
    return reader.finish();
}

}  // namespace galapagos
