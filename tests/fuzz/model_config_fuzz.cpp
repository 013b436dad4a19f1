#include "base/json.hpp"
#include "fuzz/fuzz_input.hpp"
#include "weights/architecture.hpp"

using namespace galapagos;

/// config.json: the architecture that it describes, and the tensors that follow from it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::may_refuse([&] {
        const auto config = parse_json_strict(fuzz::text_of(data, size), "config.json");
        const auto architecture = Architecture::from_config(config, "config.json");
        if (architecture.layers > 1000) return;  // as many names as the config asks for: no finding
        model_tensors(architecture);
        for (const int ranks : {1, 2, 4})
            arena_specs(architecture, Sharding(config, ranks, ranks - 1), DType::bf16);
    });
    return 0;
}
