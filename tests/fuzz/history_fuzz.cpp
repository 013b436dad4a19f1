#include <ctime>

#include "fuzz/fuzz_input.hpp"
#include "history/history_reader.hpp"
#include "history/run_index.hpp"

using namespace galapagos;

/// Takes the place of the C library's: HDF5 waits before it repeats a failed read of a file that
/// may be growing. Here nobody writes, and the waits took nine tenths of the time.
extern "C" int nanosleep(const struct timespec*, struct timespec*) { return 0; }

/// A history: a part of an island, strictly and as repair reads it, and the index of a run.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = fuzz::scratch().write("i0000.part001.h5", fuzz::text_of(data, size));
    fuzz::may_refuse([&] { read_part(path, {.answers = true}); });
    fuzz::may_refuse([&] { read_part(path, {.answers = true, .tolerate_damage = true}); });
    fuzz::may_refuse([&] { read_run_index(path); });
    return 0;
}
