// Kernels of a few lines for tests of the emulator.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "emulator/block.hpp"
#include "emulator/device_memory.hpp"

namespace galapagos::emulator {

/// PTX of a kernel around `body`, which finds the number of its thread in %r1, its block's in %r2,
/// the buffer's address in %rd1 and that of its own word there in %rd2.
inline std::string small_kernel(const std::string& body, const std::string& shared = "") {
    return ".version 9.0\n.target sm_80\n.address_size 64\n"
           ".visible .entry test(.param .u64 buffer)\n{\n"
           ".reg .pred %p<20>;\n.reg .b16 %rs<20>;\n.reg .f32 %f<40>;\n.reg .b32 %r<40>;\n"
           ".reg .f64 %fd<20>;\n.reg .b64 %rd<40>;\n" +
           shared +
           "ld.param.u64 %rd1, [buffer];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\n"
           "mov.u32 %r3, %ntid.x;\nmad.lo.s32 %r4, %r2, %r3, %r1;\n"
           "mul.wide.u32 %rd3, %r4, 4;\nadd.s64 %rd2, %rd1, %rd3;\n" +
           body + "\nret;\n}\n";
}

struct Shape {
    std::uint32_t threads = 32, blocks = 1;
    std::size_t shared = 0;
};

/// What the kernel leaves in a buffer of so many words that were `start`.
inline std::vector<std::uint32_t> run_kernel(const std::string& ptx, Shape shape = {},
                                             std::vector<std::uint32_t> words = {}) {
    if (words.empty()) words.resize(std::size_t{shape.threads} * shape.blocks);
    const std::size_t bytes = words.size() * 4;
    void* const buffer = device_memory().allocate(bytes, MemoryKind::device);
    std::memcpy(device_bytes(buffer, bytes, "test"), words.data(), bytes);
    const Program program(parse_ptx(ptx).at(0));
    Launch launch{shape.blocks, shape.threads, shape.shared, {}};
    launch.parameters.resize(8);
    std::memcpy(launch.parameters.data(), &buffer, 8);
    const auto free = [&] { device_memory().release(buffer, false); };
    try {
        run_grid(program, launch);
    } catch (...) {
        free();
        throw;
    }
    std::memcpy(words.data(), device_bytes(buffer, bytes, "test"), bytes);
    free();
    return words;
}

/// The result of one thread that puts it into %r9.
inline std::uint32_t result_of(const std::string& body) {
    return run_kernel(small_kernel(body + "\nst.global.u32 [%rd2], %r9;"), {1}).at(0);
}
/// The same, of %f9.
inline float float_of(const std::string& body) {
    return std::bit_cast<float>(result_of(body + "\nmov.b32 %r9, %f9;"));
}

/// What a kernel is reproached with.
inline std::string fault_of(const std::string& ptx, Shape shape = {}) {
    try {
        run_kernel(ptx, shape);
    } catch (const std::exception& error) {
        return error.what();
    }
    return "no fault";
}

}  // namespace galapagos::emulator
