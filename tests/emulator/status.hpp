// What the device says of the calls so far.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

namespace galapagos::emulator {

/// Runs work of the device. What goes wrong in a kernel stays the answer to every later call, as
/// on a GPU, and is told on stderr at once.
cudaError_t run_work(const std::function<void()>& work);

/// The lasting error, or cudaSuccess.
cudaError_t lasting_error();
/// What goes wrong in a call itself: cudaGetLastError tells it once.
cudaError_t refuse(cudaError_t code);
cudaError_t take_last_error();
/// What is known of a code beside its name.
const char* error_text(cudaError_t code);

}  // namespace galapagos::emulator
