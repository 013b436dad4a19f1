#include "fuzz/fuzz_input.hpp"
#include "weights/adapter_config.hpp"

using namespace galapagos;

/// adapter_config.json: the settings, and what they say about modules of a model.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = fuzz::scratch().write("adapter_config.json", fuzz::text_of(data, size));
    fuzz::may_refuse([&] {
        const AdapterConfig config(path);
        for (const char* module :
             {"model.layers.0.self_attn.q_proj", "model.layers.11.mlp.up_proj", "lm_head"}) {
            config.selector().selects(module, false);
            config.rank(module);
            config.scaling(module);
        }
    });
    return 0;
}
