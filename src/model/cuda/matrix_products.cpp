#include "model/cuda/matrix_products.hpp"

#include <fmt/format.h>

#include <type_traits>

#include "base/error.hpp"
#include "comm/cuda/errors.hpp"
#include "model/cuda/beside_pass.hpp"

namespace galapagos::cuda {
namespace {

constexpr const char* failed = "a matrix product on the GPU failed";

template <typename T>
constexpr cudaDataType_t type_of = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF;

template <typename Handle, cublasStatus_t (*destroy)(Handle)>
struct Destroyer {
    void operator()(std::remove_pointer_t<Handle>* handle) const { destroy(handle); }
};
template <typename Handle, cublasStatus_t (*destroy)(Handle)>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroyer<Handle, destroy>>;

using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

/// A matrix in columns that lie one after the other.
Layout layout_of(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t layout = nullptr;
    check(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows),
          failed);
    return Layout(layout);
}

template <typename Value>
void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t which, Value value) {
    check(cublasLtMatmulDescSetAttribute(description, which, &value, sizeof value), failed);
}
template <typename Value>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t which,
         Value value) {
    check(cublasLtMatmulPreferenceSetAttribute(preference, which, &value, sizeof value), failed);
}

/// The largest power of two up to 16 that divides all addresses.
std::uintptr_t alignment_of(std::initializer_list<const void*> addresses) {
    std::uintptr_t all = 16;
    for (const void* address : addresses) all |= reinterpret_cast<std::uintptr_t>(address);
    return all & (~all + 1);
}

}  // namespace

/// A row of ours is a column of cuBLAS': output^T [out, rows] = weight * input^T.
template <typename T>
struct MatrixProducts<T>::Plan {
    Description description;
    Layout weight, input, output;
    cublasLtMatmulAlgo_t algorithm;
};

template <typename T>
void MatrixProducts<T>::DeletePlan::operator()(Plan* plan) const {
    delete plan;
}

template <typename T>
MatrixProducts<T>::MatrixProducts() {
    cublasLtHandle_t handle = nullptr;
    check(cublasLtCreate(&handle), "cuBLAS can't start");
    handle_.reset(handle);
}

template <typename T>
void MatrixProducts<T>::multiply(const Linear<T>& layer, const T* input, std::int64_t rows,
                                 T* output, const Stream& stream) {
    run(layer, layer.bias, input, rows, output, false, stream);
}

template <typename T>
void MatrixProducts<T>::multiply_partial(const Linear<T>& layer, const T* input, std::int64_t rows,
                                         float* output, const Stream& stream) {
    run(layer, nullptr, input, rows, output, true, stream);
}

template <typename T>
void MatrixProducts<T>::run(const Linear<T>& layer, const T* bias, const T* input,
                            std::int64_t rows, void* output, bool wide, const Stream& stream) {
    if (rows == 0) return;
    Plan& plan = plan_for({layer.out, layer.in, rows, layer.transposed, bias != nullptr, wide,
                           alignment_of({layer.weight, bias, input, output})},
                          bias);
    if (bias != nullptr)
        set<const void*>(plan.description.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const float one = 1, zero = 0;
    check(cublasLtMatmul(handle_.get(), plan.description.get(), &one, layer.weight,
                         plan.weight.get(), input, plan.input.get(), &zero, output,
                         plan.output.get(), output, plan.output.get(), &plan.algorithm, workspace_,
                         product_bytes, stream.handle()),
          failed);
}

/// No other GPU of this kind would do it: this is not the machine's fault.
template <typename T>
void MatrixProducts<T>::refuse(const Shape& shape) {
    throw Error(failed,
                fmt::format("cuBLASLt {} knows no way: {} rows, {} inputs, {} outputs{}{}{}, "
                            "addresses at multiples of {}",
                            cublasLtGetVersion(), shape.rows, shape.in, shape.out,
                            shape.transposed ? ", transposed" : "", shape.bias ? ", bias" : "",
                            shape.wide ? ", fp32 results" : "", shape.alignment),
                "evaluate on the CPU (evaluation.device: cpu), and please report it");
}

template <typename T>
auto MatrixProducts<T>::plan_for(const Shape& shape, const T* bias) -> Plan& {
    auto& known = plans_[shape];
    if (known != nullptr) return *known;
    auto plan = std::unique_ptr<Plan, DeletePlan>(new Plan);
    cublasLtMatmulDesc_t description = nullptr;
    check(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F), failed);
    plan->description.reset(description);
    // [out, in] in rows is [in, out] in columns, to be turned.
    set(description, CUBLASLT_MATMUL_DESC_TRANSA, shape.transposed ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(description, CUBLASLT_MATMUL_DESC_EPILOGUE,
        shape.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
    // The choice depends on the bias' alignment, which no preference tells.
    if (shape.bias) set<const void*>(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    plan->weight = shape.transposed ? layout_of(type_of<T>, shape.out, shape.in)
                                    : layout_of(type_of<T>, shape.in, shape.out);
    plan->input = layout_of(type_of<T>, shape.in, shape.rows);
    plan->output = layout_of(shape.wide ? CUDA_R_32F : type_of<T>, shape.out, shape.rows);

    cublasLtMatmulPreference_t made = nullptr;
    check(cublasLtMatmulPreferenceCreate(&made), failed);
    const Preference preference(made);
    set(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, product_bytes);
    // Parts of a split sum are added up in fp32, in a fixed order.
    set(made, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto which :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        set(made, which, static_cast<std::uint32_t>(shape.alignment));
    cublasLtMatmulHeuristicResult_t choice{};
    int choices = 0;
    const cublasStatus_t code = cublasLtMatmulAlgoGetHeuristic(
        handle_.get(), description, plan->weight.get(), plan->input.get(), plan->output.get(),
        plan->output.get(), made, 1, &choice, &choices);
    if (code == CUBLAS_STATUS_NOT_SUPPORTED || (code == CUBLAS_STATUS_SUCCESS && choices == 0))
        refuse(shape);
    check(code, failed);
    plan->algorithm = choice.algo;
    known = std::move(plan);
    return *known;
}

template class MatrixProducts<float>;
template class MatrixProducts<Bf16>;

}  // namespace galapagos::cuda
