#include "tokenizer/normalizer_json.hpp"

#include <utility>

namespace galapagos {

namespace {

void add_step(const JsonComponent& component, std::vector<Normalizer::Step>& steps) {
    const std::string type = component.type();
    if (type == "Sequence") {
        component.allow_only({"type", "normalizers"});
        for (const JsonComponent& step : component.at("normalizers").elements()) {
            add_step(step, steps);
        }
    } else if (type == "NFC") {
        steps.emplace_back(NormalForm::nfc);
    } else if (type == "NFD") {
        steps.emplace_back(NormalForm::nfd);
    } else if (type == "NFKC") {
        steps.emplace_back(NormalForm::nfkc);
    } else if (type == "NFKD") {
        steps.emplace_back(NormalForm::nfkd);
    } else if (type == "Prepend") {
        component.allow_only({"type", "prepend"});
        steps.emplace_back(Normalizer::Prepend{component.at("prepend").text()});
    } else if (type == "Replace") {
        component.allow_only({"type", "pattern", "content"});
        steps.emplace_back(
            Normalizer::Replace{read_literal_pattern(component), component.at("content").text()});
    } else if (type == "Strip") {
        component.allow_only({"type", "strip_left", "strip_right"});
        steps.emplace_back(
            Normalizer::Strip{component.flag("strip_left"), component.flag("strip_right")});
    } else {
        component.refuse("unknown normalizer " + type);
    }
}

}  // namespace

std::string read_literal_pattern(const JsonComponent& component) {
    const JsonComponent pattern = component.at("pattern").require_object();
    if (pattern.has("Regex")) {
        pattern.refuse("the regular expression " + pattern.at("Regex").text() +
                       " isn't known here");
    }
    pattern.allow_only({"String"});
    std::string text = pattern.at("String").text();
    if (text.empty()) {
        pattern.refuse("an empty pattern");
    }
    return text;
}

Normalizer read_normalizer(const JsonComponent& component) {
    std::vector<Normalizer::Step> steps;
    if (!component.is_null()) {
        add_step(component, steps);
    }
    return Normalizer(std::move(steps));
}

}  // namespace galapagos
