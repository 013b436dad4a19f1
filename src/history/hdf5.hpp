// The little of HDF5 that histories need: owned handles, checked calls, strings, growing tables.
#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace galapagos {

/// Throws Error(what, the library's innermost reason) when `status` is negative.
void h5_check(herr_t status, const std::string& what);

/// Owns one HDF5 identifier. The destructor closes it and never throws.
class H5Handle {
  public:
    using Closer = herr_t (*)(hid_t);
    H5Handle() = default;
    /// Throws like h5_check when `id` is negative.
    H5Handle(hid_t id, Closer closer, const std::string& what);
    ~H5Handle() { reset(); }
    H5Handle(H5Handle&& other) noexcept;
    H5Handle& operator=(H5Handle&& other) noexcept;
    H5Handle(const H5Handle&) = delete;
    H5Handle& operator=(const H5Handle&) = delete;

    hid_t get() const { return id_; }
    explicit operator bool() const { return id_ >= 0; }
    void reset() noexcept;
    /// Gives the identifier up without closing it.
    hid_t release() noexcept;

  private:
    hid_t id_ = -1;
    Closer closer_ = nullptr;
};

/// Silences the library's own printing and its clean-up at exit (which can loop for ever after a
/// failed write). Call before the first HDF5 call of a thread; cheap.
void h5_prepare();

/// Fixed-length UTF-8, null-padded.
H5Handle h5_string_type(size_t bytes);
H5Handle h5_make_group(hid_t location, const std::string& name);
H5Handle h5_open_dataset(hid_t location, const std::string& name);
bool h5_exists(hid_t location, const std::string& name);

void h5_write_attribute(hid_t object, const std::string& name, const std::string& value);
void h5_write_attribute(hid_t object, const std::string& name, uint64_t value);
void h5_write_attribute(hid_t object, const std::string& name,
                        const std::vector<std::string>& values);
std::string h5_read_text_attribute(hid_t object, const std::string& name);
uint64_t h5_read_number_attribute(hid_t object, const std::string& name);
/// Names of the text attributes of an object, in alphabetical order.
std::vector<std::string> h5_text_attributes(hid_t object);

/// Whole one-dimensional datasets.
void h5_write_strings(hid_t location, const std::string& name,
                      const std::vector<std::string>& values);
std::vector<std::string> h5_read_strings(hid_t location, const std::string& name);
void h5_write_doubles(hid_t location, const std::string& name, const std::vector<double>& values);
std::vector<double> h5_read_doubles(hid_t location, const std::string& name);

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
