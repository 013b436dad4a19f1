#include "weights/instruction_set.hpp"

#include <fmt/format.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {
namespace {

constexpr const char* variable = "GALAPAGOS_INSTRUCTIONS";

#if defined(__x86_64__)
/// Asked of the processor itself, since clang's __builtin_cpu_supports doesn't know the name.
bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool has_amx() {
    constexpr unsigned amx_bf16 = 1U << 22, amx_tile = 1U << 24;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & amx_bf16) != 0 &&
           (d & amx_tile) != 0 && __builtin_cpu_supports("avx512bf16");
}

/// Linux keeps the tiles' state for processes that ask for it. The answer holds for all threads,
/// those that run already included.
bool tiles_are_granted() {
    constexpr int request_permission = 0x1023, tile_data = 18;
    static const bool granted = ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
    return granted;
}
#endif

InstructionSet choose() {
    const std::vector<InstructionSet> supported = supported_instruction_sets();
    const char* wanted = std::getenv(variable);
    if (wanted == nullptr || *wanted == '\0') return supported.back();
    std::vector<std::string> names;
    for (const InstructionSet set : supported) {
        if (name_of(set) == wanted) return set;
        names.emplace_back(name_of(set));
    }
    throw UsageError(fmt::format("{}={}: no such kernels on this processor", variable, wanted), {},
                     name_hint(wanted, names));
}

}  // namespace

std::string_view name_of(InstructionSet set) {
    switch (set) {
        case InstructionSet::portable:
            return "portable";
        case InstructionSet::avx2:
            return "avx2";
        case InstructionSet::avx512:
            return "avx512";
        case InstructionSet::amx:
            return "amx";
    }
    return {};
}

std::vector<InstructionSet> supported_instruction_sets() {
    std::vector<InstructionSet> sets{InstructionSet::portable};
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
        return sets;
    sets.push_back(InstructionSet::avx2);
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return sets;
    sets.push_back(InstructionSet::avx512);
    if (has_amx() && tiles_are_granted()) sets.push_back(InstructionSet::amx);
#endif
    return sets;
}

InstructionSet instruction_set() {
    static const InstructionSet chosen = choose();
    return chosen;
}

}  // namespace galapagos
