#include "weights/dtype.hpp"

#include <array>

namespace galapagos {
namespace {

struct DTypeFacts {
    DType dtype;
    std::size_t size;
    std::string_view name;
    std::string_view torch_name;
};

/// In the order of the enumeration.
constexpr std::array<DTypeFacts, 15> facts = {{
    {DType::f32, 4, "F32", "float32"},
    {DType::f16, 2, "F16", "float16"},
    {DType::bf16, 2, "BF16", "bfloat16"},
    {DType::f64, 8, "F64", "float64"},
    {DType::f8_e4m3, 1, "F8_E4M3", "float8_e4m3fn"},
    {DType::f8_e5m2, 1, "F8_E5M2", "float8_e5m2"},
    {DType::i64, 8, "I64", "int64"},
    {DType::i32, 4, "I32", "int32"},
    {DType::i16, 2, "I16", "int16"},
    {DType::i8, 1, "I8", "int8"},
    {DType::u64, 8, "U64", "uint64"},
    {DType::u32, 4, "U32", "uint32"},
    {DType::u16, 2, "U16", "uint16"},
    {DType::u8, 1, "U8", "uint8"},
    {DType::boolean, 1, "BOOL", "bool"},
}};

const DTypeFacts& facts_of(DType dtype) noexcept { return facts[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) noexcept { return facts_of(dtype).size; }

std::string_view name_of(DType dtype) noexcept { return facts_of(dtype).name; }

std::string_view torch_name_of(DType dtype) noexcept { return facts_of(dtype).torch_name; }

std::optional<DType> parse_dtype(std::string_view name) noexcept {
    constexpr std::string_view prefix = "torch.";
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
    for (const auto& entry : facts) {
        if (name == entry.name || name == entry.torch_name) return entry.dtype;
    }
    if (name == "float") return DType::f32;
    if (name == "half") return DType::f16;
    if (name == "double") return DType::f64;
    return std::nullopt;
}

bool is_mergeable(DType dtype) noexcept {
    return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

}  // namespace galapagos
