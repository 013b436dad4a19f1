// Floating-point numbers: IEEE results, rounded once.
//
// NaN of f32 is 0x7FFFFFFF whatever went in, as on GPUs. f64 keeps the host's NaN.
#include <bit>
#include <cmath>
#include <cstdint>

#include "emulator/operations.hpp"

namespace galapagos::emulator {
namespace {

constexpr std::uint32_t sign = 0x80000000u;

float canonical(float value) {
    return value == value ? value : std::bit_cast<float>(std::uint32_t{0x7FFFFFFF});
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }
float number(std::uint32_t value) { return std::bit_cast<float>(value); }

/// A number beside NaN wins; -0 is less than 0.
float larger(float a, float b) {
    const float both = number(bits(a) & bits(b));
    const float more = a > b ? a : a == b ? both : b;
    return canonical(b != b ? a : a != a ? b : more);
}
float smaller(float a, float b) {
    const float both = number(bits(a) | bits(b));
    const float less = a < b ? a : a == b ? both : b;
    return canonical(b != b ? a : a != a ? b : less);
}

float without_subnormals(float value) {
    return std::fabs(value) < 0x1p-126f ? number(bits(value) & sign) : value;
}

/// Of GPUs within two units in the last place; here rounded from double precision.
float power_of_two(float a) {
    return canonical(
        without_subnormals(static_cast<float>(std::exp2(double{without_subnormals(a)}))));
}

}  // namespace

void add_float_arithmetic(Operations& operations) {
    using F = float;
    using D = double;
    operations["add.rn.f32"] = operations["add.f32"] =
        vector_operation<[](F a, F b) { return canonical(a + b); }, F, F, F>();
    operations["sub.rn.f32"] = operations["sub.f32"] =
        vector_operation<[](F a, F b) { return canonical(a - b); }, F, F, F>();
    operations["mul.rn.f32"] = operations["mul.f32"] =
        vector_operation<[](F a, F b) { return canonical(a * b); }, F, F, F>();
    operations["div.rn.f32"] =
        vector_operation<[](F a, F b) { return canonical(a / b); }, F, F, F>();
    operations["fma.rn.f32"] =
        vector_operation<[](F a, F b, F c) { return canonical(__builtin_fmaf(a, b, c)); }, F, F, F,
                         F>();
    operations["rcp.rn.f32"] = vector_operation<[](F a) { return canonical(1 / a); }, F, F>();
    operations["sqrt.rn.f32"] =
        vector_operation<[](F a) { return canonical(__builtin_sqrtf(a)); }, F, F>();
    operations["min.f32"] = vector_operation<[](F a, F b) { return smaller(a, b); }, F, F, F>();
    operations["max.f32"] = vector_operation<[](F a, F b) { return larger(a, b); }, F, F, F>();
    operations["neg.f32"] = vector_operation<[](F a) { return number(bits(a) ^ sign); }, F, F>();
    operations["abs.f32"] = vector_operation<[](F a) { return number(bits(a) & ~sign); }, F, F>();
    // The sign is the first operand's.
    operations["copysign.f32"] =
        vector_operation<[](F a, F b) { return number((bits(a) & sign) | (bits(b) & ~sign)); }, F,
                         F, F>();
    operations["ex2.approx.ftz.f32"] =
        lane_operation<[](int, F a) { return power_of_two(a); }, F, F>();

    operations["add.rn.f64"] = operations["add.f64"] =
        vector_operation<[](D a, D b) { return a + b; }, D, D, D>();
    operations["sub.rn.f64"] = operations["sub.f64"] =
        vector_operation<[](D a, D b) { return a - b; }, D, D, D>();
    operations["mul.rn.f64"] = operations["mul.f64"] =
        vector_operation<[](D a, D b) { return a * b; }, D, D, D>();
    operations["div.rn.f64"] = vector_operation<[](D a, D b) { return a / b; }, D, D, D>();
    operations["fma.rn.f64"] =
        vector_operation<[](D a, D b, D c) { return __builtin_fma(a, b, c); }, D, D, D, D>();
    operations["rcp.rn.f64"] = vector_operation<[](D a) { return 1 / a; }, D, D>();
    operations["neg.f64"] = vector_operation<[](D a) { return -a; }, D, D>();
}

}  // namespace galapagos::emulator
