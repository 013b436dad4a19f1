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

/// Whether the device is lost from now on, because a test asks for that: after so many pieces of
/// work that the host waited for or asked about.
bool is_lost() {
    static const char* const asked = std::getenv("GALAPAGOS_EMULATED_DEVICE_IS_LOST_AFTER");
    static long left = asked != nullptr ? std::atol(asked) : -1;
    return asked != nullptr && --left < 0;
}

}  // namespace

cudaError_t run_work(const std::function<void()>& work) {
    if (lasting != cudaSuccess) return lasting;
    if (is_lost()) {
        report = "the emulated device was asked to be lost";
        return lasting = last = cudaErrorECCUncorrectable;
    }
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
