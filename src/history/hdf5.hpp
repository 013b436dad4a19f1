// The little of HDF5 that histories need: owned handles, checked calls, strings, whole datasets.
#pragma once

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
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

/// Throws Error(what, ...) when a dataset claims far more cells than the file holds: a damaged file
/// may claim any size, and memory is set aside only for about what it stores. (The last rows of a
/// killed writer may have been claimed and not stored.)
void h5_check_stored(hid_t dataset, uint64_t cells, uint64_t cell_bytes, const std::string& what);

}  // namespace galapagos
