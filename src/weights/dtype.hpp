// Element types of stored tensors, and fast conversion between them and float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace galapagos {

/// Element types that a safetensors file can hold in whole bytes.
enum class DType : std::uint8_t {
    f32,
    f16,
    bf16,
    f64,
    f8_e4m3,
    f8_e5m2,
    i64,
    i32,
    i16,
    i8,
    u64,
    u32,
    u16,
    u8,
    boolean,
};

/// Size of one element in bytes.
std::size_t size_of(DType dtype) noexcept;

/// The name that safetensors headers use: "F32", "BF16", "BOOL", ...
std::string_view name_of(DType dtype) noexcept;

/// The name that PyTorch, config.json and recipes use: "float32", "bfloat16", ...
std::string_view torch_name_of(DType dtype) noexcept;

/// Reads a safetensors name ("BF16"), a PyTorch name ("bfloat16", "torch.bfloat16") or one of
/// PyTorch's short names ("float", "half"); nothing if it is none of these.
std::optional<DType> parse_dtype(std::string_view name) noexcept;

/// True for the types that can be merged: F32, F16 and BF16. All others can only be copied.
bool is_mergeable(DType dtype) noexcept;

/// Converts `count` elements of a mergeable type to float. Exact. `source` may have any alignment.
/// Throws Error for other types.
void to_float(const void* source, DType dtype, float* destination, std::size_t count);

/// Converts `count` floats to a mergeable type, rounding to nearest, ties to even. Overflow gives
/// infinity; any NaN becomes a quiet NaN (BF16: 0x7FC0, as PyTorch writes it). The bits do not
/// depend on the instruction set that happens to be used. `destination` may have any alignment.
/// Throws Error for other types.
void from_float(const float* source, std::size_t count, void* destination, DType dtype);

/// Variants of the conversion loops.
enum class InstructionSet { portable, avx2, avx512, amx };

/// Makes the conversions use one variant instead of the best one: for tests that compare them.
/// Returns false, and changes nothing, if this processor lacks it. Not thread-safe.
bool use_instruction_set(InstructionSet set);

}  // namespace galapagos
