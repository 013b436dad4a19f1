#include "merge/tokenizer_setting.hpp"

#include "merge/recipe_reading.hpp"

namespace galapagos {

namespace {

void read_other_token(const YamlReader& reader, TokenSetting& setting) {
    reader.allow_only({"kind", "model", "token", "token_id"});
    if (reader.has("token") == reader.has("token_id"))
        reader.fail("a model_token has either 'token' or 'token_id'");
    setting.from = TokenSetting::From::other_token;
    setting.model = read_model_reference(reader.at("model"));
    if (reader.has("token"))
        setting.other_token = reader.at("token").as_string();
    else
        setting.other_id = reader.at("token_id").as_int();
}

void read_token_source(const YamlReader& reader, TokenSetting& setting) {
    if (!reader.is_map() || !reader.has("kind")) {
        setting.from = TokenSetting::From::model;
        setting.model = read_model_reference(reader);
        return;
    }
    const std::string kind = reader.at("kind").as_string();
    if (kind == "model_token") return read_other_token(reader, setting);
    if (kind != "zero")
        reader.at("kind").fail("unknown kind of embedding '" + kind + "'", "model_token or zero");
    reader.allow_only({"kind"});
    setting.from = TokenSetting::From::zero;
}

TokenSetting read_token(const std::string& token, const YamlReader& reader) {
    reader.allow_only({"source", "force"});
    TokenSetting setting;
    setting.token = token;
    if (const auto force = reader.find("force")) setting.force = force->as_bool();
    read_token_source(reader.at("source"), setting);
    return setting;
}

std::string read_source(const YamlReader& reader) {
    const bool named = reader.is_scalar();
    if (named && (reader.as_string() == "union" || reader.as_string() == "base"))
        return reader.as_string();
    return read_model_reference(reader);
}

}  // namespace

std::optional<TokenizerSetting> read_tokenizer_setting(const YamlReader& recipe) {
    const auto given = [&](const char* key) {
        return recipe.has(key) && !recipe.at(key).is_null();
    };
    TokenizerSetting setting;
    if (given("tokenizer_source")) {
        const YamlReader source = recipe.at("tokenizer_source");
        if (given("tokenizer"))
            source.fail("a recipe has either 'tokenizer_source' or 'tokenizer'",
                        "keep 'tokenizer', and say 'source' there");
        setting.source = read_source(source);
        return setting;
    }
    if (!given("tokenizer")) return std::nullopt;
    const YamlReader reader = recipe.at("tokenizer");
    reader.allow_only({"source", "tokens", "pad_to_multiple_of"});
    if (const auto source = reader.find("source")) setting.source = read_source(*source);
    if (const auto tokens = reader.find("tokens"); tokens && !tokens->is_null())
        for (const std::string& token : tokens->keys())
            setting.tokens.push_back(read_token(token, tokens->at(token)));
    if (const auto multiple = reader.find("pad_to_multiple_of"); multiple && !multiple->is_null()) {
        setting.pad_to_multiple_of = multiple->as_int();
        if (setting.pad_to_multiple_of < 1 || setting.pad_to_multiple_of > 1'000'000)
            multiple->fail("not a number from 1 to 1000000");
    }
    return setting;
}

}  // namespace galapagos
