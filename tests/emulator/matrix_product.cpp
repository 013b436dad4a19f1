#include "emulator/matrix_product.hpp"

#include <bit>
#include <cstring>

#include "emulator/device_memory.hpp"

namespace galapagos::emulator {
namespace {

float widened(std::uint16_t value) { return std::bit_cast<float>(std::uint32_t{value} << 16); }

/// To the nearest, ties to even.
std::uint16_t rounded(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (value != value) return 0x7FFF;
    return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// Elements of a matrix, of which the bytes have been found.
class Elements {
  public:
    Elements(const Matrix& matrix, const char* name)
        : bytes_(device_bytes(matrix.address, bytes_of(matrix), name)),
          element_(matrix.element),
          leading_(static_cast<std::uint64_t>(matrix.leading)) {}

    double get(std::uint64_t row, std::uint64_t column) const {
        const std::uint64_t at = column * leading_ + row;
        if (element_ == Element::f32) return read<float>(at);
        return widened(read<std::uint16_t>(at));
    }
    void set(std::uint64_t row, std::uint64_t column, double value) {
        const std::uint64_t at = column * leading_ + row;
        const auto narrow = static_cast<float>(value);
        if (element_ == Element::f32)
            write(at, narrow);
        else
            write(at, rounded(narrow));
    }

  private:
    template <typename T>
    T read(std::uint64_t at) const {
        T value;
        std::memcpy(&value, bytes_ + at * sizeof value, sizeof value);
        return value;
    }
    template <typename T>
    void write(std::uint64_t at, T value) {
        std::memcpy(bytes_ + at * sizeof value, &value, sizeof value);
    }

    std::byte* bytes_;
    Element element_;
    std::uint64_t leading_;
};

}  // namespace

std::size_t bytes_of(Element element) { return element == Element::f32 ? 4 : 2; }

std::size_t bytes_of(const Matrix& matrix) {
    const auto leading = static_cast<std::uint64_t>(matrix.leading);
    return ((matrix.columns - 1) * leading + matrix.rows) * bytes_of(matrix.element);
}

void MatrixProduct::run() const {
    const Elements left(a, "the first matrix of a product"), right(b, "the second matrix");
    Elements sums(result, "the result of a matrix product");
    const std::uint64_t depth = b.rows;
    const auto added = [&](std::uint64_t row, std::uint64_t column) -> double {
        double sum = 0;
        if (bias != nullptr) {
            const Matrix vector{bias, result.element, result.rows, 1,
                                static_cast<std::int64_t>(result.rows)};
            sum += Elements(vector, "the bias of a matrix product").get(row, 0);
        }
        if (beta != 0) sum += beta * Elements(c, "the third matrix").get(row, column);
        return sum;
    };
    for (std::uint64_t column = 0; column < result.columns; ++column)
        for (std::uint64_t row = 0; row < result.rows; ++row) {
            double sum = 0;
            for (std::uint64_t k = 0; k < depth; ++k)
                sum += (transpose_a ? left.get(k, row) : left.get(row, k)) * right.get(k, column);
            sums.set(row, column, alpha * sum + added(row, column));
        }
}

}  // namespace galapagos::emulator
