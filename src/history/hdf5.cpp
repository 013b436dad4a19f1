#include "history/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace galapagos {
namespace {

// The innermost entry of the error stack holds the system's reason ("No space left on device").
std::string library_reason() {
    std::string reason;
    const auto take_first = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
        auto& text = *static_cast<std::string*>(data);
        if (text.empty() && error->desc != nullptr) text = error->desc;
        return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &reason);
    return reason.empty() ? "HDF5 gives no reason" : reason;
}

H5Handle line_space(hsize_t length) {
    return {H5Screate_simple(1, &length, nullptr), H5Sclose, "can't make an HDF5 dataspace"};
}

// Strings side by side in cells of the longest one's width.
std::vector<char> pack_strings(const std::vector<std::string>& values, size_t& width) {
    width = 1;
    for (const auto& value : values) width = std::max(width, value.size());
    std::vector<char> cells(values.size() * width, '\0');
    for (size_t i = 0; i < values.size(); ++i)
        std::copy(values[i].begin(), values[i].end(), cells.begin() + static_cast<long>(i * width));
    return cells;
}

std::string unpack_string(const char* cell, size_t width) {
    return {cell, std::find(cell, cell + width, '\0')};
}

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t space,
                     const void* data) {
    const std::string what = fmt::format("can't write HDF5 attribute {}", name);
    const H5Handle attribute(
        H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, what);
    h5_check(H5Awrite(attribute.get(), type, data), what);
}

H5Handle open_attribute(hid_t object, const std::string& name) {
    return {H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose,
            fmt::format("can't read HDF5 attribute {}", name)};
}

uint64_t length_of(hid_t dataset, const std::string& name) {
    const H5Handle space(H5Dget_space(dataset), H5Sclose, fmt::format("can't read {}", name));
    hsize_t length = 0;
    if (H5Sget_simple_extent_ndims(space.get()) != 1)
        throw Error(fmt::format("can't read {}", name), "not one-dimensional");
    h5_check(H5Sget_simple_extent_dims(space.get(), &length, nullptr), "can't read a dataspace");
    return length;
}

}  // namespace

void h5_check(herr_t status, const std::string& what) {
    if (status < 0) throw Error(what, library_reason());
}

void h5_check_stored(hid_t dataset, uint64_t cells, uint64_t cell_bytes, const std::string& what) {
    constexpr uint64_t unstored_limit = 64 << 20;
    uint64_t bytes = 0;
    const bool overflow = __builtin_mul_overflow(cells, cell_bytes, &bytes);
    if (!overflow && bytes <= unstored_limit) return;
    if (overflow || bytes > H5Dget_storage_size(dataset) + unstored_limit)
        throw Error(what, fmt::format("it claims {} entries and stores far fewer", cells));
}

H5Handle::H5Handle(hid_t id, Closer closer, const std::string& what) : id_(id), closer_(closer) {
    if (id < 0) throw Error(what, library_reason());
}

H5Handle::H5Handle(H5Handle&& other) noexcept : id_(other.release()), closer_(other.closer_) {}

H5Handle& H5Handle::operator=(H5Handle&& other) noexcept {
    if (this != &other) {
        reset();
        closer_ = other.closer_;
        id_ = other.release();
    }
    return *this;
}

void H5Handle::reset() noexcept {
    if (id_ >= 0) closer_(id_);
    id_ = -1;
}

hid_t H5Handle::release() noexcept { return std::exchange(id_, -1); }

void h5_prepare() {
    // The setting to print errors belongs to a thread in thread-safe builds of the library.
    thread_local bool done = false;
    if (done) return;
    H5dont_atexit();
    H5open();
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    done = true;
}

H5Handle h5_string_type(size_t bytes) {
    H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "can't make an HDF5 string type");
    h5_check(H5Tset_size(type.get(), bytes), "can't size an HDF5 string type");
    h5_check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), "can't make an HDF5 string type");
    h5_check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "can't make an HDF5 string type");
    return type;
}

H5Handle h5_make_group(hid_t location, const std::string& name) {
    return {H5Gcreate2(location, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
            fmt::format("can't make HDF5 group {}", name)};
}

H5Handle h5_open_dataset(hid_t location, const std::string& name) {
    return {H5Dopen2(location, name.c_str(), H5P_DEFAULT), H5Dclose,
            fmt::format("can't open HDF5 dataset {}", name)};
}

bool h5_exists(hid_t location, const std::string& name) {
    return H5Lexists(location, name.c_str(), H5P_DEFAULT) > 0;
}

void h5_write_attribute(hid_t object, const std::string& name, const std::string& value) {
    const H5Handle type = h5_string_type(std::max<size_t>(1, value.size()));
    const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose, "can't make an HDF5 dataspace");
    write_attribute(object, name, type.get(), space.get(), value.c_str());
}

void h5_write_attribute(hid_t object, const std::string& name, uint64_t value) {
    const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose, "can't make an HDF5 dataspace");
    write_attribute(object, name, H5T_STD_U64LE, space.get(), &value);
}

void h5_write_attribute(hid_t object, const std::string& name,
                        const std::vector<std::string>& values) {
    size_t width = 0;
    const std::vector<char> cells = pack_strings(values, width);
    const H5Handle type = h5_string_type(width);
    const H5Handle space = line_space(values.size());
    write_attribute(object, name, type.get(), space.get(), cells.data());
}

std::string h5_read_text_attribute(hid_t object, const std::string& name) {
    const std::string what = fmt::format("can't read HDF5 attribute {}", name);
    const H5Handle attribute = open_attribute(object, name);
    const H5Handle type(H5Aget_type(attribute.get()), H5Tclose, what);
    const H5Handle space(H5Aget_space(attribute.get()), H5Sclose, what);
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0 ||
        H5Sget_simple_extent_npoints(space.get()) != 1)
        throw Error(what, "not a fixed-length text");
    std::vector<char> cell(H5Tget_size(type.get()));
    h5_check(H5Aread(attribute.get(), type.get(), cell.data()), what);
    return unpack_string(cell.data(), cell.size());
}

uint64_t h5_read_number_attribute(hid_t object, const std::string& name) {
    const std::string what = fmt::format("can't read HDF5 attribute {}", name);
    const H5Handle attribute = open_attribute(object, name);
    const H5Handle type(H5Aget_type(attribute.get()), H5Tclose, what);
    const H5Handle space(H5Aget_space(attribute.get()), H5Sclose, what);
    if (H5Tget_class(type.get()) != H5T_INTEGER || H5Sget_simple_extent_npoints(space.get()) != 1)
        throw Error(what, "not a whole number");
    uint64_t value = 0;
    h5_check(H5Aread(attribute.get(), H5T_NATIVE_UINT64, &value), what);
    return value;
}

std::vector<std::string> h5_text_attributes(hid_t object) {
    std::vector<std::string> names;
    const auto collect = [](hid_t place, const char* name, const H5A_info_t*,
                            void* data) -> herr_t {
        const hid_t attribute = H5Aopen(place, name, H5P_DEFAULT);
        if (attribute < 0) return -1;
        const hid_t type = H5Aget_type(attribute);
        const hid_t space = H5Aget_space(attribute);
        if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_type(space) == H5S_SCALAR)
            static_cast<std::vector<std::string>*>(data)->push_back(name);
        H5Sclose(space);
        H5Tclose(type);
        H5Aclose(attribute);
        return 0;
    };
    h5_check(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names),
             "can't list HDF5 attributes");
    return names;
}

void h5_write_strings(hid_t location, const std::string& name,
                      const std::vector<std::string>& values) {
    const std::string what = fmt::format("can't write HDF5 dataset {}", name);
    size_t width = 0;
    const std::vector<char> cells = pack_strings(values, width);
    const H5Handle type = h5_string_type(width);
    const H5Handle space = line_space(values.size());
    const H5Handle dataset(H5Dcreate2(location, name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                                      H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose, what);
    if (values.empty()) return;
    h5_check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, cells.data()),
             what);
}

std::vector<std::string> h5_read_strings(hid_t location, const std::string& name) {
    const H5Handle dataset = h5_open_dataset(location, name);
    const std::string what = fmt::format("can't read HDF5 dataset {}", name);
    const H5Handle type(H5Dget_type(dataset.get()), H5Tclose, what);
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0)
        throw Error(what, "not fixed-length texts");
    const size_t width = H5Tget_size(type.get());
    const uint64_t length = length_of(dataset.get(), name);
    h5_check_stored(dataset.get(), length, width, what);
    std::vector<std::string> values(length);
    if (values.empty()) return values;
    std::vector<char> cells(values.size() * width);
    h5_check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, cells.data()), what);
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = unpack_string(cells.data() + i * width, width);
    return values;
}

void h5_write_doubles(hid_t location, const std::string& name, const std::vector<double>& values) {
    const std::string what = fmt::format("can't write HDF5 dataset {}", name);
    const H5Handle space = line_space(values.size());
    const H5Handle dataset(H5Dcreate2(location, name.c_str(), H5T_IEEE_F64LE, space.get(),
                                      H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose, what);
    if (values.empty()) return;
    h5_check(H5Dwrite(dataset.get(), H5T_IEEE_F64LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
             what);
}

std::vector<double> h5_read_doubles(hid_t location, const std::string& name) {
    const H5Handle dataset = h5_open_dataset(location, name);
    const std::string what = fmt::format("can't read HDF5 dataset {}", name);
    const uint64_t length = length_of(dataset.get(), name);
    h5_check_stored(dataset.get(), length, sizeof(double), what);
    std::vector<double> values(length);
    if (values.empty()) return values;
    h5_check(H5Dread(dataset.get(), H5T_IEEE_F64LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
             what);
    return values;
}

}  // namespace galapagos
