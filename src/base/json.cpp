#include "base/json.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

/// Passes nlohmann's parse events on to its document builder, after checking what the library
/// doesn't: duplicate keys and depth.
class CheckedBuilder : public nlohmann::json_sax<json> {
  public:
    CheckedBuilder(json& document, std::string_view format, std::string_view origin,
                   int depth_limit)
        : builder_(document, false), format_(format), origin_(origin), depth_limit_(depth_limit) {}

    bool null() override { return builder_.null(); }
    bool boolean(bool value) override { return builder_.boolean(value); }
    bool number_integer(number_integer_t value) override { return builder_.number_integer(value); }
    bool number_unsigned(number_unsigned_t value) override {
        return builder_.number_unsigned(value);
    }
    bool number_float(number_float_t value, const string_t& text) override {
        return builder_.number_float(value, text);
    }
    bool string(string_t& value) override { return builder_.string(value); }
    bool binary(binary_t& value) override { return builder_.binary(value); }
    bool start_object(std::size_t elements) override {
        enter();
        return builder_.start_object(elements);
    }
    bool key(string_t& name) override {
        if (!keys_.back().insert(name).second)
            throw UsageError(fmt::format("{}: refused", origin_),
                             fmt::format("the key '{}' occurs twice in one object", name));
        return builder_.key(name);
    }
    bool end_object() override {
        keys_.pop_back();
        return builder_.end_object();
    }
    bool start_array(std::size_t elements) override {
        enter();
        return builder_.start_array(elements);
    }
    bool end_array() override {
        keys_.pop_back();
        return builder_.end_array();
    }
    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception& error) override {
        throw UsageError(fmt::format("{}: not valid {}", origin_, format_),
                         fmt::format("at byte {}: {}", position, error.what()));
    }

  private:
    void enter() {
        keys_.emplace_back();
        if (static_cast<int>(keys_.size()) > depth_limit_)
            throw UsageError(fmt::format("{}: refused", origin_),
                             fmt::format("nested deeper than {} levels", depth_limit_));
    }

    nlohmann::detail::json_sax_dom_parser<json> builder_;
    std::string_view format_;
    std::string_view origin_;
    int depth_limit_;
    std::vector<std::set<std::string>> keys_;
};

void check_size(std::string_view input, std::string_view format, std::string_view origin,
                const JsonLimits& limits) {
    if (input.size() > limits.bytes)
        throw UsageError(fmt::format("{}: refused", origin),
                         fmt::format("{} bytes of {}, more than the {} allowed here", input.size(),
                                     format, limits.bytes));
}

}  // namespace

nlohmann::json parse_json_strict(std::string_view text, std::string_view origin,
                                 JsonLimits limits) {
    check_size(text, "JSON", origin, limits);
    // nlohmann's lexer takes a zero byte for the end of its input, and would not see what follows.
    if (const auto zero = text.find('\0'); zero != std::string_view::npos)
        throw UsageError(fmt::format("{}: not valid JSON", origin),
                         fmt::format("a zero byte at {}", zero));
    json document;
    CheckedBuilder builder(document, "JSON", origin, limits.depth);
    json::sax_parse(text, &builder);
    return document;
}

nlohmann::json parse_cbor_strict(std::string_view bytes, std::string_view origin,
                                 JsonLimits limits) {
    check_size(bytes, "CBOR", origin, limits);
    json document;
    CheckedBuilder builder(document, "CBOR", origin, limits.depth);
    try {
        json::sax_parse(bytes, &builder, json::input_format_t::cbor);
    } catch (const json::out_of_range& error) {  // a list that claims more than memory can hold
        throw UsageError(fmt::format("{}: refused", origin), error.what());
    }
    return document;
}

}  // namespace galapagos
