#include "weights/arena.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "base/nearest.hpp"

namespace galapagos {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

Arena::Arena(const std::vector<TensorSpec>& specs, ArenaUse use) : specs_(specs) {
    for (std::size_t i = 0; i < specs_.size(); ++i) {
        if (!index_.emplace(specs_[i].name, i).second) {
            throw Error("can't lay out the arena",
                        fmt::format("two tensors are called '{}'", specs_[i].name));
        }
        offsets_.push_back(bytes_);
        bytes_ += round_up(specs_[i].bytes(), alignment);
    }
    if (bytes_ == 0) return;
    // Room to spare, so that the memory can begin on a huge page and end on one.
    mapped_bytes_ = bytes_ < huge_page ? bytes_ : round_up(bytes_, huge_page) + huge_page;
    const bool layout = use == ArenaUse::layout;
    void* mapped = ::mmap(nullptr, mapped_bytes_, layout ? PROT_NONE : PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | (layout ? MAP_NORESERVE : 0), -1, 0);
    if (mapped == MAP_FAILED) {
        throw Error(fmt::format("can't reserve {} MB for a candidate", bytes_ >> 20),
                    std::strerror(errno), "use more tensor-parallel ranks or a smaller dtype");
    }
    mapped_ = static_cast<std::byte*>(mapped);
    memory_ = mapped_;
    if (bytes_ >= huge_page) {
        const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
        memory_ += round_up(address, huge_page) - address;
        if (!layout) ::madvise(memory_, round_up(bytes_, huge_page), MADV_HUGEPAGE);
    }
}

Arena::~Arena() { release(); }

Arena::Arena(Arena&& other) noexcept { *this = std::move(other); }

Arena& Arena::operator=(Arena&& other) noexcept {
    if (this == &other) return *this;
    release();
    specs_ = std::exchange(other.specs_, {});
    offsets_ = std::exchange(other.offsets_, {});
    index_ = std::exchange(other.index_, {});
    mapped_ = std::exchange(other.mapped_, nullptr);
    memory_ = std::exchange(other.memory_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
    return *this;
}

void Arena::release() noexcept {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
    mapped_ = memory_ = nullptr;
}

bool Arena::has(std::string_view name) const { return index_.contains(std::string(name)); }

std::size_t Arena::find(std::string_view name) const {
    const auto found = index_.find(std::string(name));
    if (found != index_.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& spec : specs_) names.push_back(spec.name);
    throw Error(fmt::format("the arena has no tensor '{}'", name), {}, name_hint(name, names));
}

MutableTensorView Arena::tensor(std::string_view name) {
    const std::size_t i = find(name);
    return {memory_ + offsets_[i], specs_[i].dtype, specs_[i].shape};
}

TensorView Arena::view(std::string_view name) const {
    const std::size_t i = find(name);
    return {memory_ + offsets_[i], specs_[i].dtype, specs_[i].shape};
}

}  // namespace galapagos
