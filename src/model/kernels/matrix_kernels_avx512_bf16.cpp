#include "model/kernels/avx512_product.hpp"

namespace galapagos {
namespace {

/// The instruction adds the products of two neighbours to each lane.
struct DotProduct {
    using Element = Bf16;
    using Vector = __m512bh;
    static constexpr int vectors = 1;
    template <int>
    static Vector load(const Bf16* p) {
        return reinterpret_cast<Vector>(_mm512_loadu_si512(p));
    }
    template <int>
    static Vector load_first(const Bf16* p, int64_t n) {
        return reinterpret_cast<Vector>(_mm512_maskz_loadu_epi16(first_of_32(n), p));
    }
    static __m512 add(__m512 sum, Vector a, Vector b) { return _mm512_dpbf16_ps(sum, a, b); }
};

}  // namespace

namespace avx512_bf16_kernels {
void multiply(const MatrixTask<Bf16>& task);
void multiply(const MatrixTask<Bf16>& task) { multiply_all<DotProduct>(task); }
}  // namespace avx512_bf16_kernels

}  // namespace galapagos
