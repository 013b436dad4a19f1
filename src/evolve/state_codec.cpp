#include "evolve/state_codec.hpp"

#include <bit>

#include "base/error.hpp"

namespace galapagos {

namespace {

[[noreturn]] void damaged(const std::string& why) {
    throw Error("the state of an optimiser can't be read", why, "resume from an older checkpoint");
}

uint64_t parse_word(std::string_view digits) {
    uint64_t word = 0;
    for (const char c : digits) {
        unsigned digit = 0;
        if (c >= '0' && c <= '9') {
            digit = static_cast<unsigned>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<unsigned>(c - 'a') + 10U;
        } else {
            damaged("a number in it has a wrong digit");
        }
        word = word << 4U | digit;
    }
    return word;
}

}  // namespace

std::string encode_doubles(std::span<const double> values) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(16 * values.size());
    for (const double value : values) {
        const auto word = std::bit_cast<uint64_t>(value);
        for (int shift = 60; shift >= 0; shift -= 4) {
            text += digits[word >> static_cast<unsigned>(shift) & 15U];
        }
    }
    return text;
}

std::vector<double> decode_doubles(const nlohmann::json& text, size_t count) {
    if (!text.is_string()) {
        damaged("a list of numbers in it is not a string");
    }
    const std::string_view digits = text.get_ref<const std::string&>();
    if (digits.size() != 16 * count) {
        damaged("it holds " + std::to_string(digits.size() / 16) + " numbers in place of " +
                std::to_string(count));
    }
    std::vector<double> values;
    values.reserve(count);
    for (size_t i = 0; i < count; ++i) {
        values.push_back(std::bit_cast<double>(parse_word(digits.substr(16 * i, 16))));
    }
    return values;
}

nlohmann::json to_json(const Evaluated& individual) {
    return {{"id", individual.id},
            {"genome", encode_doubles(individual.genome)},
            {"fitness", encode_doubles({&individual.fitness, 1})}};
}

Evaluated evaluated_from_json(const nlohmann::json& state, size_t genes) {
    return {state.at("id").get<uint64_t>(), decode_doubles(state.at("genome"), genes),
            decode_doubles(state.at("fitness"), 1).front()};
}

nlohmann::json gene_signature(std::span<const Gene> genes) {
    auto list = nlohmann::json::array();
    for (const Gene& gene : genes) {
        const double bounds[] = {gene.lower, gene.upper, gene.initial};
        list.push_back({gene.name, name_of(gene.type), encode_doubles(bounds), gene.choices});
    }
    return list;
}

}  // namespace galapagos
