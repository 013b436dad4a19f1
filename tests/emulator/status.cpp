#include "emulator/status.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace galapagos::emulator {
namespace {

cudaError_t lasting = cudaSuccess, last = cudaSuccess;
std::string report;

/// A program that never asks again must not seem to have succeeded.
void fail_at_exit() {
    std::fprintf(stderr, "The emulated device failed: %s\n", report.c_str());
    std::fflush(nullptr);
    std::_Exit(1);
}

}  // namespace

cudaError_t run_work(const std::function<void()>& work) {
    if (lasting != cudaSuccess) return lasting;
    try {
        work();
    } catch (const std::exception& error) {
        lasting = last = cudaErrorLaunchFailure;
        report = error.what();
        std::fprintf(stderr, "%s\n", report.c_str());
        std::atexit(fail_at_exit);
    }
    return lasting;
}

cudaError_t lasting_error() { return lasting; }

cudaError_t refuse(cudaError_t code) {
    last = code;
    return code;
}

cudaError_t take_last_error() {
    const cudaError_t code = last;
    last = lasting;
    return code;
}

const char* error_text(cudaError_t code) {
    return code == lasting && code != cudaSuccess ? report.c_str() : "as the emulated device says";
}

}  // namespace galapagos::emulator
