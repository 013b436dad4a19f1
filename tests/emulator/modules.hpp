// The kernels of the program, as nvcc's code registers them.
#pragma once

#include <string>

#include "emulator/program.hpp"

namespace galapagos::emulator {

/// PTX texts of a fat binary; throws Unsupported if it holds none that can be read.
std::vector<std::string> ptx_of_fat_binary(const void* wrapper);

/// Remembers a module, whose PTX is only read when a kernel of it is asked for.
void* add_module(const void* wrapper);
void add_kernel(void* module, const void* host_function, const std::string& name);

/// The kernel of which the program knows this address; throws Unsupported if there is none.
const Program& program_of(const void* host_function);

}  // namespace galapagos::emulator
