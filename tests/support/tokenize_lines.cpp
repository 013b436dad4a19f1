// Reads texts as JSON strings, one a line, and writes for each the ids and the decoded texts, for
// comparison with another tokenizer library: tokenize_lines TOKENIZER_JSON < TEXTS > RESULTS
#include <cstdint>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/stream_decoder.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using nlohmann::json;

std::string decode_as_stream(const galapagos::Tokenizer& tokenizer,
                             const std::vector<std::int32_t>& ids) {
    galapagos::StreamDecoder decoder(tokenizer, true);
    std::string text;
    for (const std::int32_t id : ids) {
        text += decoder.push(id);
    }
    return text + decoder.finish();
}

// A line holds a text to encode and decode, or a list of ids to decode.
json answer(const galapagos::Tokenizer& tokenizer, const json& request) {
    json result;
    std::vector<std::int32_t> ids;
    if (request.is_string()) {
        ids = tokenizer.encode(request.get<std::string>(), true);
        result["plain_ids"] = tokenizer.encode(request.get<std::string>(), false);
    } else {
        ids = request.get<std::vector<std::int32_t>>();
    }
    result["ids"] = ids;
    result["text"] = tokenizer.decode(ids, false);
    result["text_without_special"] = tokenizer.decode(ids, true);
    result["streamed"] = decode_as_stream(tokenizer, ids);
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: tokenize_lines TOKENIZER_JSON < TEXTS\n";
        return 2;
    }
    try {
        const auto tokenizer = galapagos::Tokenizer::load(argv[1]);
        std::string line;
        while (std::getline(std::cin, line)) {
            std::cout << answer(tokenizer, json::parse(line)).dump() << '\n';
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
