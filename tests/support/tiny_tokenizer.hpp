#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/utf8.hpp"

namespace galapagos::testing {

/// The tokenizer.json of a byte-level BPE model in the manner of SmolLM2: <|endoftext|> is 0,
/// <|im_start|> 1, <|im_end|> 2, byte b is 3 + b, then come the merged tokens "th", "he", "the", "
/// t", " the", "in", "ing" (the space written Ġ), 266 tokens in all.
inline nlohmann::json tiny_tokenizer_json() {
    const std::vector<std::string> special{"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    const std::vector<std::vector<std::string>> merges{
        {"t", "h"}, {"h", "e"}, {"th", "e"}, {"Ġ", "t"}, {"Ġ", "the"}, {"i", "n"}, {"in", "g"}};
    nlohmann::json json;
    nlohmann::json vocabulary = nlohmann::json::object();
    int next_id = 0;
    for (const std::string& token : special) {
        json["added_tokens"].push_back({{"id", next_id},
                                        {"content", token},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", true}});
        vocabulary[token] = next_id++;
    }
    for (int byte = 0; byte < 256; ++byte) {
        vocabulary[to_utf8(alphabet_character(static_cast<unsigned char>(byte)))] = next_id++;
    }
    for (const auto& merge : merges) {
        vocabulary[merge[0] + merge[1]] = next_id++;
    }
    json["version"] = "1.0";
    json["normalizer"] = nullptr;
    json["post_processor"] = nullptr;
    json["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Digits"}, {"individual_digits", true}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}}}};
    json["decoder"] = {{"type", "ByteLevel"}};
    json["model"] = {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}};
    return json;
}

/// Writes `json` as FOLDER/tokenizer.json and returns its path.
inline std::filesystem::path write_tokenizer(const std::filesystem::path& folder,
                                             const nlohmann::json& json = tiny_tokenizer_json()) {
    const std::filesystem::path path = folder / "tokenizer.json";
    std::ofstream(path) << json.dump();
    return path;
}

}  // namespace galapagos::testing
