// What nvcc's code calls: registration of kernels, and launches.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulator/block.hpp"
#include "emulator/cuda_device.hpp"
#include "emulator/fault.hpp"
#include "emulator/modules.hpp"
#include "emulator/status.hpp"
#include "emulator/streams.hpp"

namespace galapagos::emulator {
namespace {

struct Configuration {
    dim3 grid, block;
    std::size_t shared = 0;
    cudaStream_t stream = nullptr;
};
Configuration configuration;

Launch launch_of(const Program& program, const Configuration& wanted, void** arguments) {
    Launch launch;
    launch.blocks = wanted.grid.x;
    launch.threads = wanted.block.x;
    launch.dynamic_shared_bytes = wanted.shared;
    launch.parameters.resize(program.parameter_bytes);
    for (std::size_t i = 0; i < program.parameters.size(); ++i)
        std::memcpy(launch.parameters.data() + program.parameter_offsets[i], arguments[i],
                    program.parameters[i].bytes);
    return launch;
}

bool fits(const Program& program, const Configuration& wanted) {
    const bool line =
        wanted.grid.y == 1 && wanted.grid.z == 1 && wanted.block.y == 1 && wanted.block.z == 1;
    if (!line) throw Unsupported("grids and blocks of more than one dimension");
    return wanted.grid.x > 0 && wanted.grid.x <= 0x7FFFFFFF && wanted.block.x > 0 &&
           wanted.block.x <= program.most_threads && wanted.block.x <= most_block_threads &&
           program.static_shared_bytes + wanted.shared <= block_shared_bytes;
}

cudaError_t launch(const void* function, const Configuration& wanted, void** arguments) {
    if (lasting_error() != cudaSuccess) return refuse(lasting_error());
    try {
        const Program& program = program_of(function);
        if (!fits(program, wanted)) return refuse(cudaErrorInvalidConfiguration);
        stream_of(wanted.stream).queue([&program, made = launch_of(program, wanted, arguments)] {
            run_grid(program, made);
        });
        return cudaSuccess;
    } catch (const std::exception& error) {
        return run_work([&] { throw Unsupported(std::string("not emulated: ") + error.what()); });
    }
}

}  // namespace
}  // namespace galapagos::emulator

using namespace galapagos::emulator;

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) { return static_cast<void**>(add_module(wrapper)); }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterFunction(void** module, const char* host_function, char*, const char* name, int,
                            uint3*, uint3*, dim3*, dim3*, int*) {
    add_kernel(module, host_function, name);
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared,
                                     cudaStream_t stream) {
    configuration = {grid, block, shared, stream};
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
    *grid = configuration.grid;
    *block = configuration.block;
    *shared = configuration.shared;
    *static_cast<cudaStream_t*>(stream) = configuration.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
    *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
    return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
    return launch(kernel, {grid, block, shared, stream}, arguments);
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*,
                                                                   int threads, std::size_t,
                                                                   unsigned) {
    *blocks = 512 / threads;
    return cudaSuccess;
}
}
