#include "fuzz/fuzz_input.hpp"
#include "weights/safetensors.hpp"

using namespace galapagos;

/// A whole file: its header, then every tensor, read to the last byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = fuzz::scratch().write("model.safetensors", fuzz::text_of(data, size));
    fuzz::may_refuse([&] {
        const SafetensorsFile file(path);
        volatile unsigned sum = 0;
        for (const auto& entry : file.entries())
            for (const std::byte byte : file.tensor(entry.name).span())
                sum = sum + std::to_integer<unsigned>(byte);
    });
    return 0;
}
