// Compiling a loop once for each instruction set; the program picks one when it starts.
#pragma once

// Contraction to fused multiply-adds is off in this folder, and reductions name their lanes, so
// that all variants give the same bits. Sanitizers can't run the resolver.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GALAPAGOS_VECTOR_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GALAPAGOS_VECTOR_CLONES
#endif
