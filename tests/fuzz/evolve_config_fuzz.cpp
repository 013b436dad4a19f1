#include "app/config.hpp"
#include "fuzz/fuzz_input.hpp"

using namespace galapagos;

/// The config file of an evolution: what is accepted must be readable as run.yaml, and mean the
/// same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::may_refuse([&] {
        const auto config =
            load_config_text(std::string(fuzz::text_of(data, size)), "evolve.yaml", "/jobs", {});
        const auto resolved = resolved_yaml(config);
        if (resolved_yaml(load_config_text(resolved, "run.yaml", "/", {})) != resolved)
            std::abort();
    });
    return 0;
}
