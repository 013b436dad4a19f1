#include <vector>

#include "fuzz/fuzz_input.hpp"
#include "tokenizer/stream_decoder.hpp"

using namespace galapagos;

/// tokenizer.json: what it loads must encode any text, and decode any ids.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = fuzz::scratch().write("tokenizer.json", fuzz::text_of(data, size));
    fuzz::may_refuse([&] {
        const auto tokenizer = Tokenizer::load(path);
        for (const char* text : {"", "Hello there,  the 12 things\n",
                                 "<|im_start|>\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa2 '"}) {
            const auto ids = tokenizer.encode(text, true);
            tokenizer.decode(ids, false);
            StreamDecoder stream(tokenizer, true);
            for (const auto id : ids) stream.push(id);
            stream.finish();
        }
        const std::vector<std::int32_t> ids{0, 1, 2, -1, 1 << 30, 3, 260};
        tokenizer.decode(ids, true);
    });
    return 0;
}
