#include "base/json.hpp"
#include "evolve/optimizer.hpp"
#include "evolve/optimizer_settings.hpp"
#include "fuzz/fuzz_input.hpp"
#include "history/checkpoint.hpp"

using namespace galapagos;

namespace {

/// The state of an optimiser, as if a checkpoint had brought it past its checksum.
void load_state(std::string_view bytes) {
    const auto state = parse_cbor_strict(bytes, "state");
    const std::vector<Gene> genes{Gene::real("a", 0, 1, 0.5), Gene::real("b", -1, 2, 0)};
    for (const auto kind : {OptimizerKind::ga, OptimizerKind::cma_es, OptimizerKind::random}) {
        OptimizerSettings settings;
        settings.kind = kind;
        settings.population = 4;
        fuzz::may_refuse([&] { make_optimizer(settings, genes, 1, 0)->load(state); });
    }
}

}  // namespace

/// A checkpoint file, and the state within one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = fuzz::scratch().write("i0000.g000000000001.ckpt", fuzz::text_of(data, size));
    fuzz::may_refuse([&] { load_state(read_checkpoint(path).state); });
    fuzz::may_refuse([&] { load_state(fuzz::text_of(data, size)); });
    return 0;
}
