#include "weights/safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace galapagos {
namespace {

using nlohmann::json;

constexpr std::size_t max_tensors = 100'000;  // the largest models have fewer in all their files
constexpr std::size_t max_name_bytes = 4096;
constexpr std::size_t max_rank = 16;

[[noreturn]] void refuse(const std::string& origin, const std::string& why) {
    throw Error(origin + ": not a sound safetensors file", why,
                "the file may be damaged or cut short; get it again");
}

/// Receives the parser's events and builds entries directly, so that a hostile header is refused
/// before it has grown into a document tree.
class HeaderReader : public nlohmann::json_sax<json> {
  public:
    HeaderReader(SafetensorsHeader& header, const std::string& origin)
        : header_(header), origin_(origin) {}

    bool null() override { unexpected("null"); }
    bool boolean(bool) override { unexpected("true or false"); }
    bool number_integer(number_integer_t value) override {
        unexpected(fmt::format("the negative number {}", value));
    }
    bool number_float(number_float_t, const string_t& text) override {
        unexpected(fmt::format("the number {}, which is no integer below 2^64,", text));
    }
    bool binary(binary_t&) override { unexpected("binary data"); }

    bool number_unsigned(number_unsigned_t value) override {
        if (place_ == Place::shape) {
            if (value > static_cast<std::uint64_t>(INT64_MAX)) fail("a size in shape exceeds 2^63");
            if (entry_.shape.size() == max_rank)
                fail(fmt::format("more than {} dimensions", max_rank));
            entry_.shape.push_back(static_cast<std::int64_t>(value));
        } else if (place_ == Place::offsets) {
            if (offset_count_ == 2) fail("data_offsets has more than two numbers");
            (offset_count_ == 0 ? entry_.begin : entry_.end) = value;
            ++offset_count_;
        } else {
            unexpected(fmt::format("the number {}", value));
        }
        return true;
    }

    bool string(string_t& value) override {
        if (place_ == Place::metadata) {
            if (!header_.metadata.emplace(key_, value).second) {
                refuse(origin_, fmt::format("the key '{}' occurs twice in __metadata__", key_));
            }
        } else if (place_ == Place::tensor && key_ == "dtype") {
            const auto dtype = parse_dtype(value);
            if (!dtype || name_of(*dtype) != value) {
                fail(fmt::format("dtype '{}' is unknown or not supported", value));
            }
            entry_.dtype = *dtype;
        } else {
            unexpected(fmt::format("the string \"{}\"", value));
        }
        return true;
    }

    bool start_object(std::size_t) override {
        if (place_ == Place::start) {
            place_ = Place::root;
        } else if (place_ == Place::root && key_ == "__metadata__") {
            if (metadata_seen_) refuse(origin_, "the key '__metadata__' occurs twice");
            metadata_seen_ = true;
            place_ = Place::metadata;
        } else if (place_ == Place::root) {
            begin_tensor();
        } else {
            unexpected("an object");
        }
        return true;
    }

    bool key(string_t& name) override {
        if (place_ == Place::tensor) {
            bool* seen = name == "dtype"          ? &dtype_seen_
                         : name == "shape"        ? &shape_seen_
                         : name == "data_offsets" ? &offsets_seen_
                                                  : nullptr;
            if (seen == nullptr) fail(fmt::format("unknown key '{}'", name));
            if (*seen) fail(fmt::format("the key '{}' occurs twice", name));
            *seen = true;
        }
        key_ = name;
        return true;
    }

    bool end_object() override {
        if (place_ == Place::tensor) {
            end_tensor();
            place_ = Place::root;
        } else if (place_ == Place::metadata) {
            place_ = Place::root;
        } else {
            place_ = Place::done;
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (place_ == Place::tensor && key_ == "shape") {
            place_ = Place::shape;
        } else if (place_ == Place::tensor && key_ == "data_offsets") {
            place_ = Place::offsets;
        } else {
            unexpected("an array");
        }
        return true;
    }

    bool end_array() override {
        if (place_ == Place::offsets && offset_count_ != 2) fail("data_offsets needs two numbers");
        place_ = Place::tensor;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception& error) override {
        refuse(origin_,
               fmt::format("header is not valid JSON at byte {}: {}", position, error.what()));
    }

  private:
    enum class Place { start, root, metadata, tensor, shape, offsets, done };

    void begin_tensor() {
        if (header_.entries.size() == max_tensors) {
            refuse(origin_, fmt::format("more than {} tensors", max_tensors));
        }
        check_name();
        entry_ = TensorEntry{};
        entry_.name = key_;
        offset_count_ = 0;
        dtype_seen_ = shape_seen_ = offsets_seen_ = false;
        place_ = Place::tensor;
    }

    void end_tensor() {
        if (!dtype_seen_) fail("dtype is missing");
        if (!shape_seen_) fail("shape is missing");
        if (!offsets_seen_) fail("data_offsets is missing");
        if (entry_.end < entry_.begin) fail("data_offsets end before they begin");
        std::uint64_t bytes = size_of(entry_.dtype);
        for (const std::int64_t size : entry_.shape) {
            if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
                fail(fmt::format("shape {} overflows 64 bits", to_string(entry_.shape)));
            }
        }
        if (bytes != entry_.end - entry_.begin) {
            fail(fmt::format("{} of shape {} takes {} bytes, but data_offsets span {}",
                             name_of(entry_.dtype), to_string(entry_.shape), bytes,
                             entry_.end - entry_.begin));
        }
        header_.entries.push_back(std::move(entry_));
    }

    void check_name() {
        if (key_.empty()) refuse(origin_, "a tensor has an empty name");
        if (key_.size() > max_name_bytes) {
            refuse(origin_, fmt::format("a tensor name is longer than {} bytes", max_name_bytes));
        }
        for (const char c : key_) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                refuse(origin_, "a tensor name holds a control character");
            }
        }
    }

    [[noreturn]] void fail(const std::string& why) const {
        refuse(origin_, fmt::format("tensor '{}': {}", entry_.name, why));
    }

    [[noreturn]] void unexpected(const std::string& found) const {
        if (place_ == Place::start) refuse(origin_, "the header is not a JSON object");
        if (place_ == Place::root)
            refuse(origin_, fmt::format("'{}' is {} and not an object", key_, found));
        if (place_ == Place::metadata) {
            refuse(origin_, fmt::format("__metadata__ '{}' is {} and not a string", key_, found));
        }
        fail(fmt::format("{} has no place in {}", found, key_));
    }

    SafetensorsHeader& header_;
    const std::string& origin_;
    Place place_ = Place::start;
    std::string key_;
    TensorEntry entry_;
    int offset_count_ = 0;
    bool dtype_seen_ = false, shape_seen_ = false, offsets_seen_ = false, metadata_seen_ = false;
};

void check_names_differ(const std::vector<TensorEntry>& entries, const std::string& origin) {
    std::vector<std::string_view> names;
    names.reserve(entries.size());
    for (const auto& entry : entries) names.emplace_back(entry.name);
    std::sort(names.begin(), names.end());
    const auto twin = std::adjacent_find(names.begin(), names.end());
    if (twin != names.end())
        refuse(origin, fmt::format("the tensor name '{}' occurs twice", *twin));
}

/// The tensors must cover the data exactly: no hole, no overlap, nothing left over.
void check_tiling(const std::vector<TensorEntry>& entries, std::uint64_t data_bytes,
                  const std::string& origin) {
    std::uint64_t position = 0;
    for (const auto& entry : entries) {
        if (entry.begin != position) {
            refuse(origin, fmt::format("tensor '{}': data_offsets begin at {} where {} is due ({})",
                                       entry.name, entry.begin, position,
                                       entry.begin < position ? "overlap" : "hole"));
        }
        position = entry.end;
        if (position > data_bytes) {
            refuse(origin,
                   fmt::format("tensor '{}': data_offsets end at {}, but the file has {} bytes "
                               "of data",
                               entry.name, position, data_bytes));
        }
    }
    if (position != data_bytes) {
        refuse(origin,
               fmt::format("the tensors end at byte {} of {} bytes of data", position, data_bytes));
    }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view header, std::uint64_t data_bytes,
                                           const std::string& origin) {
    if (header.empty() || header.front() != '{')
        refuse(origin, "the header does not begin with '{'");
    // The parser takes a NUL byte for the end of its input.
    if (header.find('\0') != header.npos) refuse(origin, "the header holds a NUL byte");
    const std::size_t last = header.find_last_not_of(' ');
    if (header[last] != '}') refuse(origin, "the header ends with something other than spaces");

    SafetensorsHeader result;
    HeaderReader reader(result, origin);
    json::sax_parse(header.substr(0, last + 1), &reader);
    check_names_differ(result.entries, origin);
    std::sort(result.entries.begin(), result.entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    check_tiling(result.entries, data_bytes, origin);
    return result;
}

std::string write_safetensors_header(const std::vector<TensorEntry>& entries,
                                     const std::map<std::string, std::string>& metadata) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    for (const auto& entry : entries) {
        header[entry.name] = {{"dtype", name_of(entry.dtype)},
                              {"shape", entry.shape},
                              {"data_offsets", {entry.begin, entry.end}}};
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
}

}  // namespace galapagos
