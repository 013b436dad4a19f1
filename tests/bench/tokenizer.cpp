// Encodes texts as its commands come: tokenizer TOKENIZER_JSON TEXTS, where texts end with a zero
// byte. Answers each line of stdin with the seconds of processor time that one pass over all texts
// took and the tokens it gave.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using namespace galapagos;

std::vector<std::string_view> split_texts(std::string_view all) {
    std::vector<std::string_view> texts;
    while (!all.empty()) {
        const std::size_t end = all.find('\0');
        texts.push_back(all.substr(0, end));
        if (end == std::string_view::npos) break;
        all.remove_prefix(end + 1);
    }
    return texts;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: tokenizer TOKENIZER_JSON TEXTS < COMMANDS\n");
        return 2;
    }
    const Tokenizer tokenizer = Tokenizer::load(argv[1]);
    const std::string all = read_text(argv[2]);
    const auto texts = split_texts(all);
    for (std::string line; std::getline(std::cin, line);) {
        const std::clock_t started = std::clock();
        std::size_t tokens = 0;
        for (const std::string_view text : texts) tokens += tokenizer.encode(text, false).size();
        const double ticks = static_cast<double>(std::clock() - started);
        fmt::print("{} {}\n", ticks / CLOCKS_PER_SEC, tokens);
        std::fflush(stdout);
    }
    return 0;
}
