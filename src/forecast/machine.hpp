// How fast a device computes, and how fast it reads its memory.
#pragma once

#include <string>

#include "weights/dtype.hpp"

namespace galapagos {

/// Speed of what one rank computes with.
struct MachineFigures {
    double flops = 0;      ///< arithmetic operations a second in matrix products
    double bandwidth = 0;  ///< bytes a second
    double bus = 0;        ///< the same from the host's memory to a GPU
    double link = 0;       ///< the same from other GPUs of a group; 0: their sums take no time
    std::string source;    ///< where the figures come from
};

/// Measures this processor with the threads set: a matrix product of [rows, in] with [out, in] by
/// the decoder's own kernels, and a copy of 128 MiB. Takes well under a second.
MachineFigures measure_cpu(DType dtype, int rows, int in, int out);

/// What an H100 SXM reaches of its data sheet (NVIDIA, "H100 Tensor Core GPU": 989 TFLOPS dense in
/// bf16, 3.35 TB/s, NVLink's 450 GB/s a direction): 40 % and 70 %, usual for batched inference; and
/// 70 % of the 63 GB/s of PCIe 5 with 16 lanes.
MachineFigures assumed_gpu();

}  // namespace galapagos
