// The part of cuBLASLt that the program uses, over the emulated device. What the documentation
// demands of a call is checked; anything that is not used is refused.
#include <cublasLt.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "emulator/cuda_device.hpp"
#include "emulator/matrix_product.hpp"
#include "emulator/status.hpp"

namespace galapagos::emulator {
namespace {

// What the library's opaque types hold here.
struct Description {
    cublasOperation_t transpose_a = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void* bias = nullptr;
};
struct Layout {
    cudaDataType type = CUDA_R_32F;
    std::uint64_t rows = 0, columns = 0;
    std::int64_t leading = 0;
};
struct Preference {
    std::uint64_t workspace = 0;
    std::uint32_t alignment[4] = {256, 256, 256, 256};  ///< of a, b, c and the result
};
/// Good for the shapes that it was asked for, and for addresses that are aligned as promised.
struct Algorithm {
    std::uint64_t mark = 0, shapes = 0;
    std::uint32_t alignment[4] = {};
    std::uint64_t workspace = 0;
};
constexpr std::uint64_t algorithm_mark = 0x616C676F726974;
/// What kernels expect of a bias, whatever was promised of the matrices: on a GPU others end in a
/// misaligned address.
constexpr std::uintptr_t bias_alignment = 16;

template <typename Inside, typename Opaque>
Inside& inside(Opaque* opaque) {
    static_assert(sizeof(Inside) <= sizeof(Opaque));
    return *reinterpret_cast<Inside*>(opaque);
}
template <typename Inside, typename Opaque>
cublasStatus_t create(Opaque** made, const Inside& value = {}) {
    *made = new Opaque;
    new (*made) Inside(value);
    return CUBLAS_STATUS_SUCCESS;
}
template <typename Opaque>
cublasStatus_t destroy(Opaque* opaque) {
    delete opaque;
    return CUBLAS_STATUS_SUCCESS;
}

template <typename Value>
cublasStatus_t set(Value& value, const void* from, std::size_t bytes) {
    if (bytes != sizeof value) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&value, from, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t refuse_product(const std::string& why) {
    std::fprintf(stderr, "cuBLASLt refuses a product: %s\n", why.c_str());
    return CUBLAS_STATUS_INVALID_VALUE;
}

struct Shapes {
    const Description& description;
    const Layout &a, &b, &c, &d;

    bool transposed() const { return description.transpose_a == CUBLAS_OP_T; }
    std::uint64_t hash() const {
        std::uint64_t value = transposed() * 2 + (description.epilogue == CUBLASLT_EPILOGUE_BIAS);
        for (const Layout* one : {&a, &b, &c, &d})
            for (const std::uint64_t part :
                 {static_cast<std::uint64_t>(one->type), one->rows, one->columns,
                  static_cast<std::uint64_t>(one->leading)})
                value = (value ^ part) * 0x9E3779B97F4A7C15u + (value >> 29);
        return value;
    }
    /// Empty, or what the library would not take.
    std::string fault() const {
        for (const Layout* one : {&a, &b, &c, &d}) {
            if (one->type != CUDA_R_32F && one->type != CUDA_R_16BF) return "a type of elements";
            if (one->rows == 0 || one->columns == 0) return "an empty matrix";
            if (one->leading < static_cast<std::int64_t>(one->rows))
                return "columns overlap (leading dimension)";
        }
        const std::uint64_t out = transposed() ? a.columns : a.rows;
        const std::uint64_t depth = transposed() ? a.rows : a.columns;
        if (depth != b.rows || out != d.rows || b.columns != d.columns) return "sizes don't match";
        if (c.rows != d.rows || c.columns != d.columns || c.type != d.type)
            return "the third matrix is not like the result";
        if (a.type != b.type || (a.type == CUDA_R_32F && d.type != CUDA_R_32F))
            return "types don't go together";
        return "";
    }
};

Matrix matrix_of(const void* address, const Layout& layout) {
    return {address, layout.type == CUDA_R_32F ? Element::f32 : Element::bf16, layout.rows,
            layout.columns, layout.leading};
}

std::string fault_of_addresses(const Algorithm& algorithm, const void* const (&addresses)[4]) {
    for (int i = 0; i < 4; ++i)
        if (reinterpret_cast<std::uintptr_t>(addresses[i]) % algorithm.alignment[i] != 0)
            return "an address is less aligned than was promised";
    return "";
}

}  // namespace
}  // namespace galapagos::emulator

using namespace galapagos::emulator;

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    *handle = reinterpret_cast<cublasLtHandle_t>(new char);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    delete reinterpret_cast<char*>(handle);
    return CUBLAS_STATUS_SUCCESS;
}

std::size_t cublasLtGetVersion() { return 0; }

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
    return create(layout, Layout{type, rows, columns, leading});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    return destroy(layout);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType_t scale) {
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    return create(description, Description());
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
    return destroy(description);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t which,
                                              const void* from, std::size_t bytes) {
    auto& mine = inside<Description>(description);
    switch (which) {
        case CUBLASLT_MATMUL_DESC_TRANSA:
            return set(mine.transpose_a, from, bytes);
        case CUBLASLT_MATMUL_DESC_EPILOGUE:
            return set(mine.epilogue, from, bytes);
        case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
            return set(mine.bias, from, bytes);
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    return create(preference, Preference());
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    return destroy(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t which,
                                                    const void* from, std::size_t bytes) {
    auto& mine = inside<Preference>(preference);
    std::uint32_t reductions = 0;
    switch (which) {
        case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
            return set(mine.workspace, from, bytes);
        case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
            return set(reductions, from, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
            return set(mine.alignment[0], from, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
            return set(mine.alignment[1], from, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
            return set(mine.alignment[2], from, bytes);
        case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
            return set(mine.alignment[3], from, bytes);
        default:
            return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* count) {
    const Shapes shapes{inside<Description>(description), inside<Layout>(a), inside<Layout>(b),
                        inside<Layout>(c), inside<Layout>(d)};
    *count = 0;
    if (const std::string fault = shapes.fault(); !fault.empty()) return refuse_product(fault);
    if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
    if (shapes.description.epilogue == CUBLASLT_EPILOGUE_BIAS && shapes.description.bias == nullptr)
        return refuse_product("its bias is named after an algorithm was chosen by it");
    const auto& asked = inside<Preference>(preference);
    Algorithm algorithm{algorithm_mark, shapes.hash(), {}, asked.workspace};
    std::memcpy(algorithm.alignment, asked.alignment, sizeof algorithm.alignment);
    new (&results[0].algo) Algorithm(algorithm);
    results[0].workspaceSize = asked.workspace;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
    const auto& mine = inside<Description>(description);
    const Shapes shapes{mine, inside<Layout>(a_layout), inside<Layout>(b_layout),
                        inside<Layout>(c_layout), inside<Layout>(d_layout)};
    const auto& algorithm = inside<const Algorithm>(algo);
    if (algorithm.mark != algorithm_mark || algorithm.shapes != shapes.hash())
        return refuse_product("the algorithm was chosen for other shapes");
    if (workspace_bytes < algorithm.workspace) return refuse_product("too little workspace");
    if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0)
        return refuse_product("the workspace is misaligned");
    if (const auto fault = fault_of_addresses(algorithm, {a, b, c, d}); !fault.empty())
        return refuse_product(fault);
    const bool biased = mine.epilogue == CUBLASLT_EPILOGUE_BIAS;
    if (biased && mine.bias == nullptr) return refuse_product("there is no bias");
    if (biased && reinterpret_cast<std::uintptr_t>(mine.bias) % bias_alignment != 0)
        return refuse_product("its bias is misaligned");

    MatrixProduct product{matrix_of(a, shapes.a), matrix_of(b, shapes.b), matrix_of(c, shapes.c),
                          matrix_of(d, shapes.d)};
    product.transpose_a = shapes.transposed();
    product.alpha = *static_cast<const float*>(alpha);
    product.beta = *static_cast<const float*>(beta);
    product.bias = biased ? mine.bias : nullptr;
    stream_of(stream).queue([product] { product.run(); });
    return CUBLAS_STATUS_SUCCESS;
}
