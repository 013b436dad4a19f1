// Tables whose columns are declared once: from a list of columns follow the HDF5 type of a row, and
// the way from records to rows and back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>

#include "history/hdf5.hpp"

namespace galapagos {

/// A column: its name in the file, and where its cell lies in a row.
template <typename Cell>
struct Column {
    const char* name;
    std::size_t offset;
};

/// A column whose cell holds what a field of the record does.
template <typename Cell, typename Record, typename Field>
struct FieldColumn : Column<Cell> {
    Field Record::*field;
};

template <typename Cell>
H5Handle cell_type() {
    const auto copy = [](hid_t type) {
        return H5Handle(H5Tcopy(type), H5Tclose, "can't copy an HDF5 type");
    };
    if constexpr (std::is_same_v<Cell, std::uint8_t>) {
        return copy(H5T_STD_U8LE);
    } else if constexpr (std::is_same_v<Cell, std::uint32_t>) {
        return copy(H5T_STD_U32LE);
    } else if constexpr (std::is_same_v<Cell, std::uint64_t>) {
        return copy(H5T_STD_U64LE);
    } else if constexpr (std::is_same_v<Cell, std::int64_t>) {
        return copy(H5T_STD_I64LE);
    } else if constexpr (std::is_same_v<Cell, float>) {
        return copy(H5T_IEEE_F32LE);
    } else if constexpr (std::is_same_v<Cell, double>) {
        return copy(H5T_IEEE_F64LE);
    } else if constexpr (std::is_same_v<std::remove_extent_t<Cell>, char>) {
        return h5_string_type(sizeof(Cell));
    } else {
        static_assert(std::is_array_v<Cell>);
        const hsize_t length = std::extent_v<Cell>;
        const H5Handle element = cell_type<std::remove_extent_t<Cell>>();
        return {H5Tarray_create2(element.get(), 1, &length), H5Tclose,
                "can't make an HDF5 array type"};
    }
}

/// The compound type of rows with these columns.
template <typename Row, typename... Columns>
H5Handle row_type(const std::tuple<Columns...>& columns) {
    H5Handle type(H5Tcreate(H5T_COMPOUND, sizeof(Row)), H5Tclose,
                  "can't make an HDF5 compound type");
    const auto add = [&]<typename Cell>(const Column<Cell>& column) {
        h5_check(H5Tinsert(type.get(), column.name, column.offset, cell_type<Cell>().get()),
                 "can't build an HDF5 compound type");
    };
    std::apply([&](const auto&... column) { (add(column), ...); }, columns);
    return type;
}

template <typename Cell, typename Field>
void set_cell(Cell& cell, const Field& field) {
    cell = static_cast<Cell>(field);
}
template <typename T, std::size_t N>
void set_cell(T (&cell)[N], const std::array<T, N>& field) {
    std::memcpy(cell, field.data(), sizeof cell);
}
/// Cuts text that is too long, and pads with zeros.
template <std::size_t N>
void set_cell(char (&cell)[N], const std::string& text) {
    std::size_t length = std::min(text.size(), N - 1);
    // Never cut inside a UTF-8 sequence: continuation bytes are 10xxxxxx.
    if (length < text.size())
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    std::memcpy(cell, text.data(), length);
    std::memset(cell + length, 0, N - length);
}

template <typename Cell, typename Field>
void get_cell(const Cell& cell, Field& field) {
    field = static_cast<Field>(cell);
}
template <typename T, std::size_t N>
void get_cell(const T (&cell)[N], std::array<T, N>& field) {
    std::memcpy(field.data(), cell, sizeof cell);
}
template <std::size_t N>
void get_cell(const char (&cell)[N], std::string& text) {
    text.assign(cell, strnlen(cell, N));
}

// Rows are packed: cells go in and out by way of aligned copies.

template <typename Row, typename Record, typename Cell>
void copy_to_row(const Column<Cell>&, const Record&, Row&) {}
template <typename Row, typename Record, typename Cell, typename Field>
void copy_to_row(const FieldColumn<Cell, Record, Field>& column, const Record& record, Row& row) {
    Cell cell;
    set_cell(cell, record.*column.field);
    std::memcpy(reinterpret_cast<std::byte*>(&row) + column.offset, &cell, sizeof cell);
}

template <typename Row, typename Record, typename Cell>
void copy_to_record(const Column<Cell>&, const Row&, Record&) {}
template <typename Row, typename Record, typename Cell, typename Field>
void copy_to_record(const FieldColumn<Cell, Record, Field>& column, const Row& row,
                    Record& record) {
    Cell cell;
    std::memcpy(&cell, reinterpret_cast<const std::byte*>(&row) + column.offset, sizeof cell);
    get_cell(cell, record.*column.field);
}

/// A row with the record's fields; cells that belong to no field are zero.
template <typename Row, typename Record, typename... Columns>
Row row_of(const std::tuple<Columns...>& columns, const Record& record) {
    Row row{};
    std::apply([&](const auto&... column) { (copy_to_row(column, record, row), ...); }, columns);
    return row;
}

template <typename Record, typename Row, typename... Columns>
Record record_of(const std::tuple<Columns...>& columns, const Row& row) {
    Record record;
    std::apply([&](const auto&... column) { (copy_to_record(column, row, record), ...); }, columns);
    return record;
}

}  // namespace galapagos
