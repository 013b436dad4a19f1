// Tables in HDF5 files: datasets that grow row by row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "history/hdf5.hpp"

namespace galapagos {

/// A dataset that grows along its first dimension: [rows] of a compound, or [rows, width] numbers.
/// Memory and file layout are the same, so rows travel as plain bytes.
class H5Table {
  public:
    H5Table() = default;
    /// Makes an empty table; width 0 means one-dimensional.
    static H5Table create(hid_t location, const std::string& name, H5Handle type, uint64_t width);
    /// Opens one that must have this type and width (0: one-dimensional).
    static H5Table open(hid_t location, const std::string& name, H5Handle type, uint64_t width);

    explicit operator bool() const { return static_cast<bool>(dataset_); }
    hid_t id() const { return dataset_.get(); }
    uint64_t rows() const { return rows_; }
    uint64_t row_bytes() const { return row_bytes_; }
    /// Bytes of new chunks that `more` rows will make the file grow by, at most.
    uint64_t growth(uint64_t more) const;

    void append(std::span<const std::byte> bytes);
    void flush();
    /// Rows [begin, end) as bytes.
    std::vector<std::byte> read(uint64_t begin, uint64_t end) const;
    /// After a failed write: forget the dataset without touching the file.
    void abandon() noexcept;

  private:
    H5Handle type_;
    H5Handle dataset_;
    std::string name_;
    uint64_t width_ = 0;
    uint64_t row_bytes_ = 0;
    uint64_t chunk_rows_ = 1;
    uint64_t rows_ = 0;
};

}  // namespace galapagos
