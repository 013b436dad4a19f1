#include "history/hdf5_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace galapagos {
namespace {

// A flushed chunk is written whole, so small chunks keep a generation's commit cheap; 32 KiB still
// reads at disk speed.
constexpr uint64_t chunk_bytes = 32 << 10;

}  // namespace

H5Table H5Table::create(hid_t location, const std::string& name, H5Handle type, uint64_t width) {
    H5Table table;
    table.name_ = name;
    table.width_ = width;
    table.row_bytes_ = H5Tget_size(type.get()) * std::max<uint64_t>(1, width);
    table.chunk_rows_ = std::clamp<uint64_t>(chunk_bytes / table.row_bytes_, 1, 1024);
    table.type_ = std::move(type);

    std::vector<hsize_t> dims{0}, maximum{H5S_UNLIMITED}, chunk{table.chunk_rows_};
    if (width > 0) {
        dims.push_back(width);
        maximum.push_back(width);
        chunk.push_back(width);
    }
    const std::string what = fmt::format("can't make HDF5 dataset {}", name);
    const H5Handle space(
        H5Screate_simple(static_cast<int>(dims.size()), dims.data(), maximum.data()), H5Sclose,
        what);
    const H5Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, what);
    h5_check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()), what);
    table.dataset_ = H5Handle(H5Dcreate2(location, name.c_str(), table.type_.get(), space.get(),
                                         H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                              H5Dclose, what);
    return table;
}

H5Table H5Table::open(hid_t location, const std::string& name, H5Handle type, uint64_t width) {
    H5Table table;
    table.name_ = name;
    table.width_ = width;
    table.row_bytes_ = H5Tget_size(type.get()) * std::max<uint64_t>(1, width);
    table.type_ = std::move(type);
    table.dataset_ = h5_open_dataset(location, name);

    const std::string what = fmt::format("can't read HDF5 dataset {}", name);
    const H5Handle stored(H5Dget_type(table.id()), H5Tclose, what);
    const H5Handle space(H5Dget_space(table.id()), H5Sclose, what);
    hsize_t dims[2] = {0, 0};
    const int expected = width > 0 ? 2 : 1;
    if (H5Tequal(stored.get(), table.type_.get()) <= 0 ||
        H5Sget_simple_extent_ndims(space.get()) != expected)
        throw Error(what, "not the type and shape of this format version");
    h5_check(H5Sget_simple_extent_dims(space.get(), dims, nullptr), what);
    if (width > 0 && dims[1] != width)
        throw Error(what, fmt::format("{} columns instead of {}", dims[1], width));
    table.rows_ = dims[0];
    return table;
}

uint64_t H5Table::growth(uint64_t more) const {
    if (!dataset_) return 0;
    const auto chunks = [this](uint64_t rows) { return (rows + chunk_rows_ - 1) / chunk_rows_; };
    return (chunks(rows_ + more) - chunks(rows_)) * chunk_rows_ * row_bytes_;
}

void H5Table::append(std::span<const std::byte> bytes) {
    if (!dataset_ || bytes.empty()) return;
    const uint64_t more = bytes.size() / row_bytes_;
    const std::string what = fmt::format("can't write HDF5 dataset {}", name_);
    const int rank = width_ > 0 ? 2 : 1;
    const hsize_t size[2] = {rows_ + more, width_};
    const hsize_t begin[2] = {rows_, 0};
    const hsize_t count[2] = {more, width_};
    h5_check(H5Dset_extent(dataset_.get(), size), what);
    const H5Handle file_space(H5Dget_space(dataset_.get()), H5Sclose, what);
    h5_check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, begin, nullptr, count, nullptr),
             what);
    const H5Handle memory_space(H5Screate_simple(rank, count, nullptr), H5Sclose, what);
    h5_check(H5Dwrite(dataset_.get(), type_.get(), memory_space.get(), file_space.get(),
                      H5P_DEFAULT, bytes.data()),
             what);
    rows_ += more;
}

void H5Table::flush() {
    if (dataset_) h5_check(H5Dflush(dataset_.get()), fmt::format("can't flush {}", name_));
}

std::vector<std::byte> H5Table::read(uint64_t begin, uint64_t end) const {
    const std::string what = fmt::format("can't read HDF5 dataset {}", name_);
    if (end > rows_ || begin > end)
        throw Error(what, fmt::format("rows {} to {} wanted, {} there", begin, end, rows_));
    if (begin == end) return {};
    const int rank = width_ > 0 ? 2 : 1;
    const hsize_t first[2] = {begin, 0};
    const hsize_t count[2] = {end - begin, width_};
    h5_check_stored(dataset_.get(), end - begin, row_bytes_, what);
    std::vector<std::byte> bytes((end - begin) * row_bytes_);
    const H5Handle file_space(H5Dget_space(dataset_.get()), H5Sclose, what);
    h5_check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, first, nullptr, count, nullptr),
             what);
    const H5Handle memory_space(H5Screate_simple(rank, count, nullptr), H5Sclose, what);
    h5_check(H5Dread(dataset_.get(), type_.get(), memory_space.get(), file_space.get(), H5P_DEFAULT,
                     bytes.data()),
             what);
    return bytes;
}

void H5Table::abandon() noexcept {
    dataset_.release();
    type_.release();
}

}  // namespace galapagos
